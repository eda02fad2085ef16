"""MarkRead: that a person read a delivery, stated once for each request."""

from uuid import UUID

from dabir.common.v1.statement_pb2 import Statement
from dabir.formats.statement import Event
from dabir.formats.strict_json import check_text
from dabir.intake.v1 import recipient_service_pb2 as pb
from services.intake.domain import delivery as rules
from services.intake.domain import model, receipt_errors, request_id, statements
from services.intake.servicer import showing, stating
from services.intake.servicer.registry import Registry
from services.intake.store import deliveries, request_ids
from services.runtime.identity import Caller
from services.runtime.ledger import statement_id
from services.runtime.logs import log


async def mark_read(registry: Registry, request: pb.MarkReadRequest, who: Caller) -> Statement:
    """State the reading, or give its statement again.

    Raises DeliveryNotFound, NotAccepted, TooManyReadings, RequestIdReused; FormatError for the name and the position.
    """
    await showing.find_delivery(registry, who, request.name)
    check_text(request.position, "position")
    its_id = UUID(request.request_id)
    sha256 = request_id.sha256(who.body, request.name, request.position)
    async with registry.pool.connection() as connection, connection.transaction():
        (delivery,) = await deliveries.lock(connection, [request.name])
        if (stated := await request_ids.find(connection, "reading", its_id, sha256)) is not None:
            return await showing.statement(connection, stated)
        if not model.is_open(delivery):
            raise receipt_errors.NotAccepted(delivery=delivery.name, state=delivery.state)
        chains = await registry.ledger.open(connection, [delivery.name])
        rules.check_room(delivery, chains.head(delivery.name)[0])
        fields = statements.content_access(who.body, who.certificate_sha256, request.position)
        statement = await stating.append(chains, delivery, Event.CONTENT_ACCESS_TRACKING, fields, assurance="mtls")
        await request_ids.insert(connection, "reading", its_id, sha256, statement_id(statement))
        await deliveries.read_first(connection, delivery.name, chains.now, request.position)
    log.info("delivery_read", delivery=delivery.name)
    return statement
