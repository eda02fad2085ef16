"""A process that registers and consigns letters until killed, as `intake` would, with a row of its own as fact."""

import asyncio
import os
import random
import sys
import uuid
from pathlib import Path
from typing import Any

import psycopg

from dabir.common.v1.statement_pb2 import (
    Statement,
    StatementDocument,
    StatementEvent,
    StatementNumber,
    StatementParty,
    StatementRecipient,
    StatementSignature,
)
from dabir.formats import names
from dabir.formats.signer import FileSigner
from dabir.formats.statement import Event, digest
from infra.local.pki import Pair
from services.runtime.ledger import Ledger, OpenChains, Series

HUB = "log.dabir.example/1"
SENDERS = [names.office("interior", "registry"), names.office("justice", "registry")]
RECIPIENTS = [names.office("bank", "main"), names.office("bank", "branch")]
Connection = psycopg.AsyncConnection[Any]

FACTS = "CREATE TABLE public.fact (name text PRIMARY KEY); GRANT INSERT ON public.fact TO intake"


def series(office: str, direction: names.Direction) -> Series:
    return Series(names.series(office, direction), "JALALI", "Asia/Tehran")


def number_fields(chains: OpenChains, book: Series) -> StatementEvent:
    """What every statement that takes a number says: the number, when, and the manifest."""
    taken = chains.number(book.name)
    text = f"{taken.book.rpartition('/')[2]}/{taken.sequence}"
    fields = StatementEvent(
        number=StatementNumber(book=taken.book, sequence=taken.sequence, text=text), manifest_sha256=b"m" * 32
    )
    fields.registered_at.FromDatetime(chains.now)
    return fields


async def register(connection: Connection, ledger: Ledger, sender: str, classification: int | None = None) -> Statement:
    """One letter: its fact, its number and its statement, in one transaction."""
    letter, book = names.letter(str(uuid.uuid4())), series(sender, "out")
    async with connection.transaction():
        chains = await ledger.open(connection, [letter, book])
        await connection.execute("INSERT INTO public.fact VALUES (%s)", (letter,))
        fields = number_fields(chains, book)
        fields.definition_sha256 = b"d" * 32
        fields.parties.append(StatementParty(body=names.body_of(sender), certificate_sha256=b"c" * 32))
        fields.documents.append(StatementDocument(name=names.document(str(uuid.uuid4())), sha256=b"s" * 32))
        fields.recipients.extend(StatementRecipient(office=office, documents=[1]) for office in RECIPIENTS)
        fields.signatures.append(StatementSignature(file_sha256=b"f" * 32, certificates_sha256=[b"c" * 32]))
        return await chains.append(
            event=Event.SUBMISSION_ACCEPTANCE,
            subject=letter,
            txn=letter,
            chains=[letter, book.name],
            fields=fields,
            sender_body=names.body_of(sender),
            recipient_body=None,
            classification=classification,
        )


async def consign(connection: Connection, ledger: Ledger, registered: Statement) -> list[Statement]:
    """Both deliveries of a letter become available, in one transaction, each with its office's next number."""
    letter = registered.subject
    deliveries = {names.delivery(letter, n): series(office, "in") for n, office in enumerate(RECIPIENTS, 1)}
    async with connection.transaction():
        chains = await ledger.open(connection, [*deliveries, *deliveries.values()])
        stated = []
        for delivery, book in deliveries.items():
            await connection.execute("INSERT INTO public.fact VALUES (%s)", (delivery,))
            one = await chains.append(
                event=Event.AVAILABLE,
                subject=delivery,
                txn=letter,
                chains=[delivery, book.name],
                fields=number_fields(chains, book),
                sender_body=None,
                recipient_body="bodies/bank",
                previous_of_new_chain={delivery: digest(registered.jws)},
            )
            stated.append(one)
    return stated


async def _write(url: str, seal: Pair, acknowledged: Path, seed: int, letters: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a schedule, no secret
    ledger = Ledger(hub=HUB, source="intake", signer=FileSigner(seal.key, seal.certificate))
    done = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for _ in range(letters):
            registered = await register(connection, ledger, chance.choice(SENDERS))
            os.write(done, f"{registered.name}\n".encode())
            for consigned in await consign(connection, ledger, registered):
                os.write(done, f"{consigned.name}\n".encode())


def write(url: str, seal: Pair, acknowledged: Path, seed: int, letters: int = sys.maxsize) -> None:
    """Register and consign `letters` letters, noting in `acknowledged` every statement whose COMMIT returned."""
    asyncio.run(_write(url, seal, acknowledged, seed, letters))
