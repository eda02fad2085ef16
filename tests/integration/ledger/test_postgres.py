"""The server that every other test stands on."""

import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from infra.local import postgres as server
from tests.conftest import Postgres
from tests.waiting import until


def test_a_role_without_its_password_is_refused(postgres: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url("intake", "wrong", postgres.port))


def test_every_service_has_its_time_limits(postgres: Postgres) -> None:
    for role in server.ROLES:
        with psycopg.connect(postgres.database_url(role)) as connection:
            shown = [
                connection.execute(f"SHOW {name}").fetchone()
                for name in ("idle_in_transaction_session_timeout", "lock_timeout")
            ]
            assert shown == [("5s",), ("5s",)], role


def test_a_server_in_a_private_folder_runs_from_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_reachable", lambda path: False)
    monkeypatch.setattr(server, "_SHARED_STATE", tmp_path)
    program = server._installation() / "bin" / "initdb"
    assert program.is_relative_to(tmp_path)
    assert subprocess.run([program, "--version"], check=False).returncode == 0


def test_a_link_leads_nobody_into_a_private_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment may be a link: `.venv` to one under somebody's home."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        shut, link = Path(folder) / "shut", Path(folder) / "link"
        (shut / "server").mkdir(parents=True)
        link.symlink_to(shut / "server")
        monkeypatch.setattr(server, "_server_user", lambda: 65534)
        assert server._reachable(link)
        shut.chmod(0o700)
        assert not server._reachable(link)


def test_data_stays_where_it_was_made_when_its_folder_is_shut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_SHARED_STATE", tmp_path / "shared")
    made = tmp_path / "postgres"
    made.mkdir()
    (made / "PG_VERSION").touch()
    monkeypatch.setattr(server, "_reachable", lambda path: False)
    assert server.data_directory(made) == made
    assert server.data_directory(tmp_path / "new").is_relative_to(tmp_path / "shared")


def test_set_up_may_be_repeated(postgres: Postgres) -> None:
    server.set_up(postgres.owner_url, postgres.passwords)


def test_who_loses_a_deadlock_against_a_running_hub_applies_the_file_again(fresh_postgres: Postgres) -> None:
    url = fresh_postgres.owner_url
    with (
        psycopg.connect(url, autocommit=True) as watching,
        psycopg.connect(url) as serving,
        ThreadPoolExecutor() as side,
    ):
        watching.execute("CREATE TABLE public.first (); CREATE TABLE public.second (); SELECT pg_advisory_lock(1)")
        serving.execute("SET deadlock_timeout = '60s'; LOCK public.second")
        text = b"SET deadlock_timeout = '1ms'; LOCK public.first; SELECT pg_advisory_xact_lock(1); LOCK public.second"

        def apply() -> None:
            with psycopg.connect(url, autocommit=True) as migrating:
                server._apply(migrating, 900, "900_test.sql", text, "")

        def waiting() -> int:
            found = watching.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
            return found[0] if found else 0

        applied = side.submit(apply)
        until("the file waits", lambda: waiting() == 1)
        served = side.submit(lambda: serving.execute("LOCK public.first").connection.commit())
        until("who serves waits for it", lambda: waiting() == 2)
        watching.execute("SELECT pg_advisory_unlock(1)")
        served.result(30)
        applied.result(30)
        assert watching.execute("SELECT name FROM public.schema_version WHERE version = 900").fetchone() is not None


def test_a_changed_schema_file_is_refused(fresh_postgres: Postgres) -> None:
    with psycopg.connect(fresh_postgres.owner_url) as connection:
        connection.execute("UPDATE public.schema_version SET sha256 = 'other' WHERE version = 1")
    with pytest.raises(server.PostgresError, match=r"001_ledger\.sql was changed after it had been applied"):
        server.apply_schema(fresh_postgres.owner_url)


def test_a_database_from_a_later_release_is_refused(fresh_postgres: Postgres) -> None:
    with psycopg.connect(fresh_postgres.owner_url) as connection:
        connection.execute("INSERT INTO public.schema_version (version, name, sha256) VALUES (999, 'x', 'x')")
    with pytest.raises(server.PostgresError, match="schema version 999, which this release does not know"):
        server.apply_schema(fresh_postgres.owner_url)


def test_every_table_says_when_its_rows_are_made_changed_and_deleted(postgres: Postgres) -> None:
    with psycopg.connect(postgres.owner_url) as connection:
        tables = connection.execute(
            "SELECT oid::regclass::text, obj_description(oid) FROM pg_class "
            "WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace::regnamespace::text = ANY (%s)",
            (["public", "ledger", *server.ROLES],),
        ).fetchall()
    assert tables
    said = {name: str(comment).lower() for name, comment in tables}
    assert not [name for name in said if not all(word in said[name] for word in ("made:", "changed", "deleted"))]
