"""RecordOperatorAction: what an operator did, stated on the letter's chain or, for a link, on its body's."""

from uuid import UUID

from dabir.common.v1.statement_pb2 import Statement
from dabir.formats import names
from dabir.formats.statement import Event
from dabir.formats.strict_json import check_text
from dabir.intake.v1 import internal_service_pb2 as pb
from services.intake.domain import errors, request_id, statements
from services.intake.domain import operator as rules
from services.intake.servicer import showing
from services.intake.servicer.registry import Registry
from services.intake.store import deliveries, letters, request_ids
from services.runtime.ledger import statement_id


async def record(registry: Registry, request: pb.RecordOperatorActionRequest) -> Statement:
    """State the action, or give its statement again.

    Raises ActionNotACode, RequestIdReused, and where there is no such subject SubjectNotRecordable, BodyNotFound,
    LetterNotFound, DeliveryNotFound; FormatError for subject, operator and reason.
    """
    action = rules.action(request.action)
    check_text(request.operator, "operator")
    check_text(request.reason, "reason")
    its_id = UUID(request.request_id)
    sha256 = request_id.sha256(request.subject, request.operator, action, request.reason)
    chain, sender_body, office = await _subject(registry, request.subject)
    fields = statements.operator_action(request.operator, action, request.reason, office)
    async with registry.pool.connection() as connection, connection.transaction():
        chains = await registry.ledger.open(connection, [chain])
        if (stated := await request_ids.find(connection, "operator_action", its_id, sha256)) is not None:
            return await showing.statement(connection, stated)
        statement = await chains.append(
            event=Event.OPERATOR_ACTION,
            subject=chain,
            txn=chain,
            chains=[chain],
            fields=fields,
            sender_body=sender_body,
            recipient_body=None,
            assurance="hub",
        )
        await request_ids.insert(connection, "operator_action", its_id, sha256, statement_id(statement))
    return statement


async def _subject(registry: Registry, subject: str) -> tuple[str, str, str | None]:
    """The chain an action is stated on, the body that sees it, and the recipient office if it is about one delivery."""
    kind = names.chain_kind(subject, "subject")
    if kind == "body":
        if not await registry.directory.has_body(subject):
            raise errors.BodyNotFound(body=subject)
        return subject, subject, None
    if kind == "book":
        raise errors.SubjectNotRecordable(subject=subject)
    chain = names.split_delivery(subject)[0] if kind == "delivery" else subject
    async with registry.pool.connection() as connection:
        letter = await letters.get(connection, chain)
        named = await deliveries.of_letter(connection, chain, [subject]) if kind == "delivery" else []
    if kind == "delivery" and not named:
        raise errors.DeliveryNotFound(delivery=subject)
    return chain, letter.sender_body, named[0].recipient_office if named else None
