"""RecordOperatorAction: what an operator did, stated on the letter's chain or, for a link, on its body's."""

from uuid import UUID

from dabir.common.v1.statement_pb2 import Statement
from dabir.formats import names
from dabir.formats.statement import Event
from dabir.formats.strict_json import check_text
from dabir.intake.v1 import internal_service_pb2 as pb
from services.intake.domain import errors, statements
from services.intake.domain import operator as rules
from services.intake.servicer import showing, stating
from services.intake.servicer.registry import Registry
from services.intake.store import deliveries, letters, operator_actions


async def record(registry: Registry, request: pb.RecordOperatorActionRequest) -> Statement:
    """State the action, or give its statement again. Raises RequestIdReused if the id stands for another action."""
    action = rules.action(request.action)
    check_text(request.operator, "operator")
    check_text(request.reason, "reason")
    request_id = UUID(request.request_id)
    sha256 = rules.sha256(request.subject, request.operator, action, request.reason)
    chain, sender_body, office = await _subject(registry, request.subject)
    fields = statements.operator_action(request.operator, action, request.reason, office)
    async with registry.pool.connection() as connection, connection.transaction():
        chains = await registry.ledger.open(connection, [chain])
        if (recorded := await operator_actions.find(connection, request_id)) is not None:
            if recorded.request_sha256 != sha256:
                raise errors.RequestIdReused(request_id=request_id)
            return await showing.statement(connection, recorded.statement)
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
        if not await operator_actions.insert(connection, request_id, sha256, stating.statement_id(statement)):
            raise errors.RequestIdReused(request_id=request_id)
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
        if letter is None:
            raise errors.LetterNotFound(letter=chain)
        named = await deliveries.of_letter(connection, chain, [subject]) if kind == "delivery" else []
    if kind == "delivery" and not named:
        raise errors.DeliveryNotFound(delivery=subject)
    return chain, letter.sender_body, named[0].recipient_office if named else None
