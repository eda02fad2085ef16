"""The access table against every RPC of the protos, and against the calls that the architecture allows."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool

import dabir
from services.runtime.access import ACCESS, CALLS, Access, callers_of
from services.runtime.identity import Caller, Role

GRPC_OWN = ("/grpc.health.v1.", "/grpc.reflection.")
# What "Calls" of the architecture says, written down a second time.
ALLOWED_CALLS = {
    ("intake", "directory"),
    ("intake", "documents"),
    ("documents", "directory"),
    ("notifications", "directory"),
    ("evidence", "directory"),
    ("worker", "intake"),
    ("worker", "documents"),
    ("worker", "notifications"),
    ("worker", "evidence"),
    ("operator", "directory"),
}
MEMBER_ROLES = frozenset({Role.SENDER, Role.RECIPIENT, Role.READER})


def _stub_modules() -> Iterator[str]:
    for root in dabir.__path__:
        for path in Path(root).rglob("*_pb2.py"):
            yield ".".join(("dabir", *path.relative_to(root).with_suffix("").parts))


def _rpcs() -> list[str]:
    found = []
    for name in sorted(set(_stub_modules())):
        for service in importlib.import_module(name).DESCRIPTOR.services_by_name.values():
            found += [f"/{service.full_name}/{method.name}" for method in service.methods]
    return found


RPCS = _rpcs()
OURS = [rpc for rpc in ACCESS if not rpc.startswith(GRPC_OWN)]


def _package(rpc: str) -> str:
    return rpc.split(".")[1]


def test_every_rpc_has_a_row_and_every_row_an_rpc() -> None:
    assert len(RPCS) > 30
    assert sorted(OURS) == sorted(RPCS)


def test_the_table_allows_the_calls_of_the_architecture_and_no_others() -> None:
    from_table = {(service, _package(rpc)) for rpc in OURS for service in ACCESS[rpc].services}
    assert from_table == ALLOWED_CALLS
    assert {(caller, callee) for caller, callees in CALLS.items() for callee in callees} == ALLOWED_CALLS
    for callee in ("intake", "documents", "directory", "notifications", "evidence"):
        assert {(caller, callee) for caller in callers_of(callee)} == {one for one in ALLOWED_CALLS if one[1] == callee}


def test_the_calls_have_no_cycle() -> None:
    def reached(start: str, seen: frozenset[str]) -> None:
        assert start not in seen, f"{start} is called again by what it calls"
        for callee in CALLS.get(start, ()):
            reached(callee, seen | {start})

    for caller in CALLS:
        reached(caller, frozenset())


@pytest.mark.parametrize("rpc", RPCS)
def test_each_rpc_against_each_role_alone(rpc: str) -> None:
    """Internal services admit no member by any role, members' services no stranger, and none an empty caller."""
    row = ACCESS[rpc]
    internal = "InternalService/" in rpc
    assert not row.handshake_only
    assert not row.admits(Caller(b""))
    admitted = {role for role in Role if row.admits(Caller(b"", body="bodies/b", roles=frozenset({role})))}
    assert admitted == row.roles
    assert bool(admitted) != internal
    if admitted and admitted != set(Role):
        assert admitted <= MEMBER_ROLES, "a clearance or a role of the hub alone lets nobody call"
    assert bool(row.services) == (internal or rpc.startswith("/dabir.directory."))


@pytest.mark.parametrize("rpc", RPCS)
def test_each_rpc_against_each_hub_service(rpc: str) -> None:
    for service in ("intake", "documents", "directory", "notifications", "evidence", "worker", "operator"):
        caller = Caller(b"", roles=frozenset({Role.HUB_SERVICE}), service=service)
        expected = service in ACCESS[rpc].services or ACCESS[rpc].roles == set(Role)
        assert ACCESS[rpc].admits(caller) == expected


@pytest.mark.parametrize("rpc", RPCS)
def test_what_reads_is_not_mutating_and_what_changes_is(rpc: str) -> None:
    method = rpc.rpartition("/")[2]
    reads = method.startswith(("Get", "List", "Query", "Resolve", "Download", "Watch"))
    assert ACCESS[rpc].mutating != reads


def test_grpcs_own_services_need_the_handshake_only() -> None:
    rest = [rpc for rpc in ACCESS if rpc not in OURS]
    assert rest
    assert all(ACCESS[rpc] == Access(handshake_only=True) for rpc in rest)
    importlib.import_module("grpc_health.v1.health_pb2")
    health = descriptor_pool.Default().FindServiceByName("grpc.health.v1.Health")
    assert {f"/grpc.health.v1.Health/{method.name}" for method in health.methods} <= set(rest)
