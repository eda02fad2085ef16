"""The release's schema version is that of its files."""

from pathlib import Path

from services.runtime.database import SCHEMA_VERSION


def test_the_newest_schema_file_is_the_version_this_release_knows() -> None:
    files = sorted((Path(__file__).parents[3] / "infra" / "schema").glob("[0-9][0-9][0-9]_*.sql"))
    assert [int(path.name[:3]) for path in files] == list(range(1, SCHEMA_VERSION + 1))
