"""What every servicer of intake works with."""

from dataclasses import dataclass
from pathlib import Path

from dabir.formats.signer import load_certificates
from services.intake.config import IntakeConfig
from services.intake.domain import definition as definitions
from services.intake.domain.definition import Definition, Definitions
from services.intake.domain.errors import DefinitionNotFound
from services.intake.domain.signature import Trust
from services.intake.neighbours import Directory, Documents
from services.intake.store import definitions as stored_definitions
from services.runtime.config import StartRefused
from services.runtime.database import Pool
from services.runtime.ledger import Ledger
from services.runtime.seals import open_ledger

OWN_DEFINITIONS = Path(__file__).parent.parent / "definitions"


@dataclass(frozen=True)
class Registry:
    """One process's registry office."""

    hub: str
    pool: Pool
    ledger: Ledger
    definitions: Definitions
    trust: Trust
    directory: Directory
    documents: Documents

    async def definition(self, name: str) -> Definition:
        """Any definition that was ever offered here, by this process or another. Raises DefinitionNotFound."""
        try:
            return self.definitions.get(name)
        except DefinitionNotFound:
            async with self.pool.connection() as connection:
                file = await stored_definitions.find(connection, name)
            if file is None:
                raise
        self.definitions.add(definitions.read_stored(name, file))
        return self.definitions.get(name)


async def open_registry(config: IntakeConfig, pool: Pool, directory: Directory, documents: Documents) -> Registry:
    """Read definitions, roots and seal. Raises StartRefused with what is wrong with them."""
    try:
        roots = load_certificates(config.signing_roots)
    except (OSError, ValueError) as error:
        raise StartRefused(f"signing_roots does not do: {error}.") from error
    return Registry(
        hub=config.hub,
        pool=pool,
        ledger=open_ledger(config),
        definitions=await load_definitions(pool, (OWN_DEFINITIONS, *config.definition_folders)),
        trust=Trust(tuple(roots), development=config.environment == "development"),
        directory=directory,
        documents=documents,
    )


async def load_definitions(pool: Pool, folders: tuple[Path, ...]) -> Definitions:
    """Every definition file of the folders, kept in the database. Raises StartRefused."""
    try:
        offered = [definitions.read(path.name, path.read_bytes()) for path in _files(folders)]
    except (OSError, definitions.DefinitionFileError) as error:
        raise StartRefused(f"A definition cannot be offered: {error}") from error
    async with pool.connection() as connection:
        kept = await stored_definitions.keep(connection, offered)
    stored = [definitions.read_stored(name, file) for name, file in kept]
    if changed := definitions.changed(offered, stored):
        raise StartRefused(
            f"These definitions differ from what was offered under their name before: {', '.join(changed)}. Letters "
            f"rely on that: restore the file and make the change as a new version."
        )
    return Definitions(offered, stored)


def _files(folders: tuple[Path, ...]) -> list[Path]:
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise StartRefused(f"definition_folders names {folder}, which is no folder.")
        for path in sorted(folder.glob("*.toml")):
            if path.name in found:
                raise StartRefused(f"{path} and {found[path.name]} are the same definition: remove one.")
            found[path.name] = path
    return list(found.values())
