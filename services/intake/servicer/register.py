"""SubmitLetter: check everything, claim the documents, then number, write and state the letter in one transaction."""

import dataclasses
import hashlib
from collections.abc import Collection, Sequence

from dabir.common.v1.statement_pb2 import Statement, StatementSignature
from dabir.directory.v1 import directory_pb2 as directory
from dabir.formats import names
from dabir.formats.manifest import parse_manifest
from dabir.formats.statement import Event, digest
from dabir.intake.v1 import sender_service_pb2 as pb
from services.intake.domain import errors, model, statements, submit
from services.intake.domain.model import Delivery, Letter, NewLetter
from services.intake.domain.registration import Submission, new_deliveries, new_letter
from services.intake.domain.signature import Checked
from services.intake.servicer import messages, showing, signatures, stating
from services.intake.servicer.registry import Registry
from services.intake.store import deliveries, letters, trust_material
from services.runtime.database import Connection
from services.runtime.identity import Caller
from services.runtime.ledger import OpenChains, Series, statement_id
from services.runtime.logs import log


async def submit_letter(registry: Registry, request: pb.SubmitLetterRequest, who: Caller) -> pb.SubmitLetterResponse:
    """Register a letter, or give the answer of its registration again.

    What came before the transaction leaves only the claim on the documents, which is theirs to release. A COMMIT whose
    outcome nobody learnt is found by the letter's id when the same request comes again.

    Raises FormatError, LetterIdReused, DefinitionNotFound, DefinitionWithdrawn, what the rules of `submit` raise, and
    the errors of `signature_errors`.
    """
    manifest = parse_manifest(request.manifest)
    submit.check_caller(manifest, hub=registry.hub, caller_body=who.body, roles=who.roles)
    request_sha256 = submit.request_sha256(request.manifest, request.signatures, request.documents)
    name = names.letter(manifest.letter_uuid)
    if answer := await _stored_answer(registry, who, name, request_sha256):
        return answer

    submit.check_counts(manifest, len(request.signatures), len(request.documents))
    for index, document in enumerate(request.documents):
        names.split_document(document, f"documents[{index}]")
    submission = Submission(
        manifest=manifest,
        manifest_bytes=request.manifest,
        manifest_sha256=hashlib.sha256(request.manifest).digest(),
        signatures=request.signatures,
        documents=request.documents,
        request_sha256=request_sha256,
        definition=registry.definitions.offered(manifest.definition),
        sender_certificate_sha256=who.certificate_sha256,
    )
    checked, office = await _check(registry, submission, who)
    submit.check_documents(await registry.documents.claim(name, manifest, submission.documents))
    await _register(registry, submission, office, checked)

    answer = await _stored_answer(registry, who, name, request_sha256)
    assert answer is not None  # noqa: S101 - committed just now, and nothing registered is ever removed
    return answer


async def _stored_answer(
    registry: Registry, who: Caller, name: str, request_sha256: bytes
) -> pb.SubmitLetterResponse | None:
    """The answer to the request that registered the letter. Raises LetterIdReused if it was another one."""
    async with registry.pool.connection() as connection:
        registered_by = await letters.request_sha256(connection, name)
        if registered_by is None:
            return None
        if registered_by != request_sha256:
            raise errors.LetterIdReused(letter=name)
        row = await letters.find(connection, who.body, who.clearance, name)
        assert row is not None  # noqa: S101 - the same bytes name the same sender, who is the caller
        statement = await showing.statement(connection, row.submission_acceptance)
    return pb.SubmitLetterResponse(letter=messages.letter(row), submission_acceptance=statement)


async def _check(
    registry: Registry, submission: Submission, who: Caller
) -> tuple[list[Checked], directory.ResolvedOffice]:
    """Every rule that can be judged before the transaction; the signatures as checked, and the sending office."""
    manifest = submission.manifest
    async with registry.pool.connection() as connection:
        now = await letters.clock(connection)
    submit.check_written_at(manifest, now)
    submit.check_definition(manifest, submission.definition)
    submit.dues(manifest, submission.definition, now)
    checked = await signatures.check_manifest(registry, manifest, submission.manifest_bytes, submission.signatures, now)
    offices, unknown = await registry.directory.offices(
        [manifest.sender.office, *(recipient.office for recipient in manifest.recipients)]
    )
    submit.check_offices(manifest, unknown)
    async with registry.pool.connection() as connection:
        related, clearance = submit.related_letters(manifest), who.clearance
        submit.check_relations(manifest, await letters.sent_or_got(connection, who.body, clearance, related))
        got = await deliveries.of_office(
            connection, who.body, manifest.sender.office, submit.answered_letters(manifest)
        )
    submit.answering(manifest, got)
    return checked, offices[manifest.sender.office]


async def _register(
    registry: Registry, submission: Submission, office: directory.ResolvedOffice, checked: Sequence[Checked]
) -> None:
    """The one transaction. Does nothing when the letter is registered by now: the stored answer says by whom."""
    manifest, name = submission.manifest, submission.letter
    series = stating.series(office, submit.out_direction(manifest.classification))
    async with registry.pool.connection() as connection:
        await trust_material.keep(connection, {sha: der for one in checked for sha, der in one.material.items()})
        async with connection.transaction():
            # Delivery rows first, then every chain in one call: the order of locks everywhere.
            got = await deliveries.lock_of_office(
                connection, manifest.sender.body, manifest.sender.office, submit.answered_letters(manifest)
            )
            answering = submit.answering(manifest, got)
            chains = await registry.ledger.open(connection, [name, series, *(one.name for one in answering)])
            if await letters.request_sha256(connection, name) is not None:
                return
            number = chains.number(series.name)
            text = submit.print_number(office.office.number_pattern, number.book, number.sequence)
            letter = new_letter(submission, number, text, chains.now)
            acceptance = await _write(connection, chains, submission, letter, [one.stated for one in checked], series)
            await _answer(connection, chains, answering, letter, digest(acceptance.jws))
    log.info("letter_registered", letter=name, book=number.book, sequence=number.sequence)


async def _write(
    connection: Connection,
    chains: OpenChains,
    submission: Submission,
    letter: NewLetter,
    stated: Sequence[StatementSignature],
    series: Series,
) -> Statement:
    """State the registration and write the letter and its deliveries."""
    its_deliveries = new_deliveries(letter, submission.manifest)
    acceptance = await chains.append(
        event=Event.SUBMISSION_ACCEPTANCE,
        subject=letter.name,
        txn=letter.name,
        chains=[letter.name, series.name],
        fields=statements.submission_acceptance(letter, its_deliveries, stated),
        sender_body=letter.sender_body,
        recipient_body=None,
        classification=letter.classification,
    )
    registered = Letter(
        **{field.name: getattr(letter, field.name) for field in dataclasses.fields(letter)},
        submission_acceptance=statement_id(acceptance),
        submission_acceptance_sha256=digest(acceptance.jws),
        state=model.OPEN,
        unclaimed=False,
        closed_at=None,
    )
    await letters.insert(connection, registered, submission.manifest_bytes, submission.signatures)
    await deliveries.insert(connection, its_deliveries)
    return acceptance


async def _answer(
    connection: Connection,
    chains: OpenChains,
    answering: Collection[Delivery],
    letter: NewLetter,
    submission_acceptance_sha256: bytes,
) -> None:
    """The deliveries that the letter answers are ANSWERED in its own transaction, at its `registered_at`."""
    for delivery in answering:
        await stating.lateness_of_answer(connection, chains, delivery, chains.now)
        fields = statements.answered(submission_acceptance_sha256)
        stated = statement_id(await stating.append(chains, delivery, Event.ANSWERED, fields, assurance="mtls"))
        await deliveries.answer(connection, delivery.name, letter.registered_at, stated, letter.name)
