"""A member of a hub that exists on paper only: its profile with real keys, and the hub's seal to state with."""

import uuid
from dataclasses import dataclass, field
from pathlib import Path

import uuid_utils
from cryptography.hazmat.primitives import serialization

from dabir.client import profile
from dabir.client.profile import Profile
from dabir.common.v1.statement_pb2 import Statement, StatementEvent, StatementLink, StatementPayload
from dabir.formats import statement
from dabir.formats.events import EVENT_FIELDS
from dabir.formats.signer import KeySigner
from dabir.formats.statement import Event
from tests.pki import TestAuthority, write_files

HUB = "log.dabir.example/1"
BODY, OFFICE, POSITION = "bodies/interior", "bodies/interior/offices/main", "وزیر کشور"
LETTER = f"letters/{uuid.UUID(int=7, version=4)}"
DELIVERY = f"{LETTER}/deliveries/1"
IAT_SECONDS = 1_795_342_473  # 2026-11-22


@dataclass(frozen=True)
class PaperHub:
    """The hub's authority and intake's seal."""

    authority: TestAuthority = field(default_factory=TestAuthority)

    def seal(self, source: str = "intake") -> KeySigner:
        return self.authority.issue(events=[event for event, rule in EVENT_FIELDS.items() if rule.source == source])


def write_profile(hub: PaperHub, seal: KeySigner, folder: Path, **services: str) -> Profile:
    """A body's profile in `folder`, its trust folder holding the hub's root and `seal`."""
    authority = hub.authority
    pairs = {
        "tls": authority.issue(purpose="tls", body=BODY),
        "sign": authority.issue(purpose="sign", position=POSITION),
        "seal": authority.issue(purpose="seal", body=BODY),
    }
    for name, signer in pairs.items():
        write_files(signer, folder, name)
    for room in ("roots", "hub", "crls"):
        (folder / "trust" / room).mkdir(parents=True)
    (folder / "trust" / "roots" / "root.pem").write_bytes(authority.root.public_bytes(serialization.Encoding.PEM))
    write_files(seal, folder / "trust" / "hub", "intake")
    (folder / "trust" / "hub" / "intake.key.pem").unlink()
    addresses = dict.fromkeys(profile.SERVICES, "127.0.0.1:1") | services
    lines = [f'body = "{BODY}"', f'office = "{OFFICE}"', f'hub = "{HUB}"', 'journal = "journal"', 'language = "en"']
    lines += ["[services]", 'server_name = "localhost"', *(f'{name} = "{at}"' for name, at in addresses.items())]
    for table in ("[tls]", "[[sign]]", "[seal]"):
        name = table.strip("[]")
        lines += [table, f'certificate = "{name}.pem"', f'key = "{name}.key.pem"']
    lines += ["[trust]", 'folder = "trust"']
    path = folder / "profile.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return profile.read(path)


def state(
    seal: KeySigner,
    event: Event = Event.ACCEPTANCE_REJECTION_EXPIRY,
    *,
    subject: str = DELIVERY,
    sequence: int = 2,
    previous: bytes = b"\1" * 32,
    hub: str = HUB,
    says: StatementEvent | None = None,
    iat_seconds: int = IAT_SECONDS,
) -> Statement:
    """A statement by `seal`, linked into its subject's chain."""
    jti = str(uuid_utils.uuid7())
    said = StatementEvent(policy=statement.POLICY, source=EVENT_FIELDS[event].source, assurance="hub")
    said.links.append(StatementLink(chain=subject, sequence=sequence, previous=previous))
    if event is Event.ACCEPTANCE_REJECTION_EXPIRY:
        said.acceptance_due.FromSeconds(IAT_SECONDS)
    if says is not None:
        said.MergeFrom(says)
    payload = StatementPayload(iss=hub, iat=iat_seconds, toe=iat_seconds, jti=jti, sub=subject)
    payload.txn = subject.partition("/deliveries/")[0]
    payload.events[event].CopyFrom(said)
    jws = statement.sign_statement(payload, seal)
    return Statement(name=f"statements/{jti}", position=1, subject=subject, event=event, jws=jws)
