"""The bodies of this stack: each one's keys, its profile, and the lines by which directory comes to know the demo's."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.pki import DevelopmentPki, Pair
from infra.local.settings import HUB, directory_file, events_of, identity_folder, toml
from infra.local.stack import SERVICES, Stack, write

BODIES_FILE = Path(__file__).resolve().parents[1] / "demo" / "bodies.toml"
OFFICE, OFFICE_FA, OFFICE_EN = "main", "دبیرخانه", "Registry"
"""Every body of the demo has this office."""
TIME_ZONE = "Asia/Tehran"
ROLES = ("sender", "recipient", "reader")
"""What every body's TLS certificate may do; clearances are added."""


@dataclass(frozen=True)
class Member:
    """A body as `infra/demo/bodies.toml` has it, or as `dabir hub add-body` was asked for it."""

    id: str
    fa: str
    en: str
    positions: tuple[str, ...]
    clearances: tuple[str, ...] = ()
    office_id: str = OFFICE

    @property
    def name(self) -> str:
        """`bodies/{body}`."""
        return f"bodies/{self.id}"

    @property
    def office(self) -> str:
        """`bodies/{body}/offices/{office}`."""
        return f"{self.name}/offices/{self.office_id}"

    @property
    def roles(self) -> list[str]:
        """What its TLS certificate may do."""
        return [*ROLES, *(f"clearance_{clearance}" for clearance in self.clearances)]


@dataclass(frozen=True)
class Keys:
    """A body's pairs; `sign` in the order of its positions."""

    tls: Pair
    sign: tuple[Pair, ...]
    seal: Pair


def members() -> list[Member]:
    """The bodies of the demo."""
    listed = tomllib.loads(BODIES_FILE.read_text(encoding="utf-8"))["body"]
    return [
        Member(row["id"], row["fa"], row["en"], tuple(row["positions"]), tuple(row["clearances"])) for row in listed
    ]


def profile_folder(stack: Stack, member: Member) -> Path:
    """Where the body's `profile.toml`, keys, journal and trust folder stand."""
    return stack.directory / "profiles" / member.id


def make_profiles(stack: Stack, authority: DevelopmentPki) -> None:
    """Keys as far as they are missing; addresses, trusted seals and revocation lists as they are now."""
    for member in members():
        write_profile(stack, authority, member, make_keys(authority, member, profile_folder(stack, member)))
    shipped = {member.id for member in members()}
    for profile in (stack.directory / "profiles").glob("*/profile.toml"):
        if profile.parent.name not in shipped:  # added by add_body.py: all that is known of it stands here
            known = tomllib.loads(profile.read_text(encoding="utf-8"))
            write(profile, toml(known | {"services": _services(stack)}))
            _write_trust(stack, authority, profile.parent / "trust")


def write_profile(stack: Stack, authority: DevelopmentPki, member: Member, keys: Keys) -> Path:
    """Writes the body's trust folder and then, as the sign that all of it is there, its profile."""
    folder = profile_folder(stack, member)
    _write_trust(stack, authority, folder / "trust")
    write(folder / "profile.toml", toml(_profile(stack, member, keys)))
    return folder / "profile.toml"


def make_keys(authority: DevelopmentPki, member: Member, folder: Path) -> Keys:
    """The body's keys, made where they are missing."""
    signers = enumerate(member.positions, start=1)
    return Keys(
        authority.body_tls_pair(member.id, folder),
        tuple(authority.sign_pair(member.id, position, number, folder) for number, position in signers),
        authority.seal_pair(member.id, folder),
    )


def write_directory_file(stack: Stack) -> None:
    """What directory is loaded with at its first start: bodies with their offices, and certificates by their owner.

    A certificate's file is PEM: itself, then its issuers without the root.
    """
    bodies, certificates = [], list[dict[str, Any]]()
    for member in members():
        office = {"name": member.office, "display_name_fa": OFFICE_FA, "display_name_en": OFFICE_EN}
        bodies.append(
            {
                "name": member.name,
                "display_name_fa": member.fa,
                "display_name_en": member.en,
                "time_zone": TIME_ZONE,
                "calendar": "JALALI",
                "office": [office],
            }
        )
        folder = profile_folder(stack, member)
        certificates.append({"owner": member.name, "file": folder / "tls.pem", "roles": member.roles})
        files = [f"sign-{number}.pem" for number, _ in enumerate(member.positions, start=1)]
        certificates += [{"owner": member.name, "file": folder / file} for file in [*files, "seal.pem"]]
    for service in filter(events_of, SERVICES):
        certificates.append({"owner": f"services/{service}", "file": identity_folder(stack, service) / "seal.pem"})
    write(directory_file(stack), toml({"body": bodies, "certificate": certificates}))


def _profile(stack: Stack, member: Member, keys: Keys) -> dict[str, Any]:
    def pair(found: Pair) -> dict[str, str]:
        return {"certificate": found.certificate.name, "key": found.key.name}

    return {
        "body": member.name,
        "office": member.office,
        "hub": HUB,
        "calendar": "JALALI",
        "time_zone": TIME_ZONE,
        "language": "fa",
        "journal": "journal",
        "services": _services(stack),
        "tls": pair(keys.tls),
        "sign": [pair(found) for found in keys.sign],
        "seal": pair(keys.seal),
        "trust": {"folder": "trust"},
    }


def _services(stack: Stack) -> dict[str, str]:
    return {name: ",".join(stack.addresses(name)) for name in SERVICES} | {"server_name": "localhost"}


def _write_trust(stack: Stack, authority: DevelopmentPki, folder: Path) -> None:
    """Root, the seals of the hub's services, and the lists in force: what a body checks everything against."""
    for name in ("roots", "hub", "crls"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write(folder / "roots" / "root.pem", authority.root.read_text())
    for service in SERVICES:
        if events_of(service):
            write(folder / "hub" / f"{service}.pem", (identity_folder(stack, service) / "seal.pem").read_text())
    for crl in authority.crls.glob("*.pem"):
        write(folder / "crls" / crl.name, crl.read_text())
