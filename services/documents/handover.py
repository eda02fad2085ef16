"""The recipient confirms what it downloaded; when nothing granted is outstanding, ContentHandover is stated, once."""

from collections.abc import Sequence
from dataclasses import dataclass

from dabir.common.v1.statement_pb2 import Statement, StatementDocument, StatementEvent, StatementParty
from dabir.formats import names
from dabir.formats.events import Event
from dabir.formats.statement import digest
from services.documents import store
from services.documents.domain import errors
from services.documents.domain.download import Acceptance, may_read
from services.documents.seals import Seals
from services.runtime import ledger
from services.runtime.database import Connection, Pool
from services.runtime.identity import Caller
from services.runtime.ledger import Ledger


@dataclass(frozen=True)
class Confirmed:
    """What is still outstanding of a delivery, and the statement when nothing is."""

    outstanding: Sequence[str]
    content_handover: Statement | None


class Handover:
    """Confirmations, and the statement they end in."""

    def __init__(self, pool: Pool, seals: Seals, stating: Ledger) -> None:
        self._pool = pool
        self._seals = seals
        self._ledger = stating

    async def confirm(self, caller: Caller, name: str, jws: str, sha256: bytes) -> Confirmed:
        """Notes that `caller` has the whole document. Repeated, it gives the same answer.

        Raises DocumentNotFound, DocumentNotReady, DigestDiffers and what Seals.verify raises.
        """
        names.split_document(name, "document")
        acceptance = await self._seals.verify(jws, caller.body)
        granted = acceptance.documents.get(name, b"")
        async with self._pool.connection() as connection:
            document = await store.find_granted(connection, caller.body, caller.clearance, name, granted)
            may_read(document, name, caller.body, acceptance)
            if sha256 != granted:
                raise errors.DigestDiffers(document=name)
            async with connection.transaction():
                confirmed = await self._confirm(connection, caller, name, acceptance, digest(jws))
        return confirmed

    async def _confirm(
        self, connection: Connection, caller: Caller, name: str, acceptance: Acceptance, acceptance_sha256: bytes
    ) -> Confirmed:
        """Fact and statement in one transaction: a crash leaves both or neither. Raises AcceptanceNotYours."""
        stated = await store.lock_handover(connection, caller.body, acceptance.delivery, acceptance_sha256)
        confirmed = await store.confirm(connection, acceptance.delivery, name)
        outstanding = [granted for granted in acceptance.documents if granted not in confirmed]
        if outstanding:
            return Confirmed(outstanding, None)
        if stated is not None:
            return Confirmed([], await ledger.read(connection, str(stated)))
        statement = await self._state(connection, caller, acceptance)
        await store.note_handover(connection, acceptance.delivery, ledger.statement_id(statement))
        return Confirmed([], statement)

    async def _state(self, connection: Connection, caller: Caller, acceptance: Acceptance) -> Statement:
        chains = await self._ledger.open(connection, [acceptance.delivery])
        return await chains.append(
            event=Event.CONTENT_HANDOVER,
            subject=acceptance.delivery,
            txn=acceptance.letter,
            chains=[acceptance.delivery],
            fields=StatementEvent(
                parties=[StatementParty(body=caller.body, certificate_sha256=caller.certificate_sha256)],
                documents=[StatementDocument(name=name, sha256=sha) for name, sha in acceptance.documents.items()],
            ),
            sender_body=acceptance.sender_body,
            recipient_body=acceptance.recipient_body,
        )
