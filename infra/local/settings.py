"""The configuration file of each of the hub's own processes, with its certificates, as this stack has them."""

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dabir.formats.events import EVENT_FIELDS
from infra.local import s3, temporal
from infra.local.pki import DevelopmentPki
from infra.local.stack import SERVICES, Stack, StackError, replica_name, write
from services.runtime.access import callers_of

HUB = "log.dabir.example/1"
"""The local hub's name, `iss` of its statements."""
WORKERS = "workers"
OPERATOR = "operator"
DEMO_DEFINITIONS = Path(__file__).resolve().parents[1] / "demo" / "definitions"


def identity_folder(stack: Stack, service: str) -> Path:
    """Where a service's TLS pair and seal stand; all its copies share them."""
    return stack.directory / "services" / service


def events_of(service: str) -> list[str]:
    """The events that the service's seal lists (docs/formats.md, "Events")."""
    return [str(event) for event, rule in EVENT_FIELDS.items() if rule.source == service]


def make_identities(stack: Stack, authority: DevelopmentPki) -> None:
    """TLS pairs for every service, the workers and the operator; seals for those that state events."""
    for service in (*SERVICES, "worker", OPERATOR):
        folder = identity_folder(stack, service)
        authority.service_tls_pair(service, folder)
        if events := events_of(service):
            authority.seal_pair(service, folder, events)


def config_file(stack: Stack, name: str) -> Path:
    """The configuration of a process (`intake`, `intake-2`, `workers`)."""
    return stack.directory / "config" / f"{name}.toml"


def write_settings(stack: Stack, authority: DevelopmentPki) -> None:
    """Writes every configuration, and for each service the file with its connection string. Raises StackError."""
    chosen = _chosen(stack)
    for service in SERVICES:
        write(_database_url_file(stack, service), stack.database_url(service) + "\n", mode=0o600)
    write(_s3_secret_file(stack), stack.secrets()["s3"]["secret_key"] + "\n", mode=0o600)
    for number in range(1, stack.replicas + 1):
        for service in SERVICES:
            name = replica_name(service, number)
            settings = _common(stack, authority, service, name) | _service(stack, authority, service, name)
            write(config_file(stack, name), toml(settings | _OWN[service](stack) | chosen.get(service, {})))
        name = replica_name(WORKERS, number)
        settings = _common(stack, authority, "worker", name) | _workers(stack)
        write(config_file(stack, name), toml(settings | chosen.get(WORKERS, {})))


def chosen_file(stack_directory: Path) -> Path:
    """Where somebody may choose what this stack's services, or its workers, are to have otherwise: a table for each."""
    return stack_directory / "settings.toml"


def _chosen(stack: Stack) -> dict[str, dict[str, Any]]:
    file = chosen_file(stack.directory)
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StackError(f"{file} is not TOML: {error}. Correct it, or remove it.") from error
    known = (*SERVICES, WORKERS)
    if wrong := [name for name, table in tables.items() if name not in known or not isinstance(table, dict)]:
        raise StackError(f"{file}: {', '.join(wrong)} is none of the tables it may have: {', '.join(known)}.")
    return tables


def _common(stack: Stack, authority: DevelopmentPki, source: str, name: str) -> dict[str, Any]:
    folder = identity_folder(stack, source)
    return {
        "hub": HUB,
        "source": source,
        "environment": "development",
        "tls_certificate": folder / "tls.pem",
        "tls_key": folder / "tls.key",
        "tls_roots": authority.root,
        "metrics_listen": stack.address(f"{name}.metrics"),
    }


def _service(stack: Stack, authority: DevelopmentPki, service: str, name: str) -> dict[str, Any]:
    found = {
        "listen": stack.address(f"{name}.grpc"),
        "database_url_file": _database_url_file(stack, service),
        "allowed_services": sorted(callers_of(service)),
        "tls_service_issuers": authority.hub_ca,
        "crl_folder": stack.crls,
    }
    if events_of(service):
        folder = identity_folder(stack, service)
        found |= {"seal_certificate": folder / "seal.pem", "seal_key": folder / "seal.key"}
    return found


def directory_file(stack: Stack) -> Path:
    """What directory is loaded with at its first start."""
    return stack.directory / "directory.toml"


def _directory(stack: Stack) -> dict[str, Any]:
    return {"certificate_roots": stack.roots, "crl_folder": stack.crls, "seed_file": directory_file(stack)}


def _documents(stack: Stack) -> dict[str, Any]:
    return _targets(stack, "directory") | {
        "s3_endpoint": stack.address("s3.s3"),
        "s3_access_key": stack.secrets()["s3"]["access_key"],
        "s3_secret_key_file": _s3_secret_file(stack),
        "s3_bucket": s3.BUCKET,
        "s3_tls": False,
    }


def _intake(stack: Stack) -> dict[str, Any]:
    folders = {"signing_roots": stack.roots, "definition_folders": [DEMO_DEFINITIONS]}
    return _targets(stack, "directory", "documents") | folders


def _evidence(stack: Stack) -> dict[str, Any]:
    return _targets(stack, "directory")


def _notifications(stack: Stack) -> dict[str, Any]:
    # The demo's and the tests' receivers are on this machine, where nothing may call otherwise.
    return _targets(stack, "directory") | {"outgoing_allowed_networks": ["127.0.0.0/8"]}


def _targets(stack: Stack, *services: str) -> dict[str, str]:
    """The addresses of neighbours; gRPC takes all copies of one in one name."""
    return {f"{name}_target": f"ipv4:{','.join(stack.addresses(name))}" for name in services}


_OWN: Mapping[str, Callable[[Stack], dict[str, Any]]] = {
    "directory": _directory,
    "documents": _documents,
    "intake": _intake,
    "evidence": _evidence,
    "notifications": _notifications,
}
"""What each service needs beyond what all need."""


def _workers(stack: Stack) -> dict[str, Any]:
    return _targets(stack, "intake", "documents", "notifications", "evidence") | {
        "temporal_target": stack.address("temporal.frontend"),
        "temporal_namespace": temporal.NAMESPACE,
    }


def _database_url_file(stack: Stack, service: str) -> Path:
    return stack.directory / "secrets" / f"{service}.database-url"


def _s3_secret_file(stack: Stack) -> Path:
    return stack.directory / "secrets" / "s3.secret-key"


def toml(settings: Mapping[str, Any], above: str = "") -> str:
    """TOML of strings, paths, numbers, booleans, lists of strings, tables and lists of tables, all within `above`."""
    lines, tables = [], []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            tables.append(f"\n[{above}{key}]\n{toml(value, f'{above}{key}.')}")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            tables += [f"\n[[{above}{key}]]\n{toml(entry, f'{above}{key}.')}" for entry in value]
        else:
            # A JSON string, number, boolean or list of strings is also TOML's; what is not one is a path.
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False, default=str)}\n")
    return "".join([*lines, *tables])
