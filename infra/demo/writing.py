"""A letter of the plan as its sender writes it: the manifest, and its pages as PDF."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dabir.cli import words
from dabir.client import RECIPIENT_KIND_COPY, RECIPIENT_KIND_TO, Manifest, Recipient
from dabir.common.v1 import manifest_pb2 as pb
from dabir.formats.calendar import format_date
from dabir.formats.persian import persian_digits
from infra.demo import render
from infra.demo.plan import Letter, To
from infra.local.members import TIME_ZONE, Member


def own_number(planned: Letter) -> str:
    """The number that its sender gave it."""
    return f"د/{planned.number.partition('-')[0]}"


def manifest(planned: Letter, office: Callable[[str], str], names: Mapping[str, str]) -> Manifest:
    """What its sender says. `office` is of a body's id, `names` the letters registered so far, by the plan's number."""
    letter = Manifest(
        definition=planned.definition,
        subject=planned.subject,
        abstract="\n".join(planned.paragraphs),
        language="fa",
        sender=pb.ManifestSender(number=own_number(planned)),
        priority=planned.priority,
        classification=planned.classification,
    )
    for to in planned.recipients:
        letter.recipients.append(
            Recipient(
                office=office(to.body),
                kind=RECIPIENT_KIND_COPY if to.is_copy else RECIPIENT_KIND_TO,
                note=to.note,
                documents=[1] if to.without_annex else [],
                acceptance_needed=planned.acceptance_needed and not to.is_copy,
                answer_needed=planned.answer_needed and not to.is_copy,
            )
        )
    for signer in planned.signers:
        letter.signers.add(
            position=signer.position,
            capacity=signer.capacity,
            on_behalf_of=signer.on_behalf_of,
            decree=signer.decree,
        )
    for earlier in planned.earlier:
        if earlier.body:
            letter.relations.add(kind=earlier.kind, body=earlier.body, number=earlier.number, date=earlier.date)
        else:
            letter.relations.add(kind=earlier.kind, letter=names[earlier.number])
    return letter


def pages(planned: Letter, members: Mapping[str, Member], folder: Path, annexes: int) -> list[Path]:
    """The letter itself, and its own annex if it has one; `annexes` more go along."""
    count = annexes + bool(planned.annex)
    letter = _paper(planned, members, planned.paragraphs, f"{persian_digits(str(count))} فقره" if count else "ندارد")
    made = [_written(folder / f"letter-{planned.number}.pdf", letter)]
    if planned.annex:
        made.append(_written(folder / f"annex-{planned.number}.pdf", _paper(planned, members, (planned.annex,), "—")))
    return made


def _written(file: Path, paper: render.Paper) -> Path:
    file.write_bytes(render.pdf(paper))
    return file


def _paper(planned: Letter, members: Mapping[str, Member], paragraphs: tuple[str, ...], annexed: str) -> render.Paper:
    sender = members[planned.sender]
    marks = [words.PRIORITIES[planned.priority][0]] if planned.priority != pb.PRIORITY_NORMAL else []
    if planned.classification != pb.CLASSIFICATION_NORMAL:
        marks.append(words.CLASSIFICATIONS[planned.classification][0])
    on_behalf = [f"{words.CAPACITIES[one.capacity][0]} {one.on_behalf_of}" for one in planned.signers if one.capacity]
    return render.Paper(
        sender=sender.fa,
        office="دبیرخانه",
        emblem=sender.fa.split()[-1][0],
        lines=(
            ("شماره:", persian_digits(own_number(planned))),
            ("تاریخ:", format_date(datetime.now(UTC), "JALALI", TIME_ZONE)),
            ("پیوست:", annexed),
        ),
        marks=tuple(marks),
        to=_addressees([_name(to, members) for to in planned.recipients if not to.is_copy]),
        subject=planned.subject,
        paragraphs=paragraphs,
        signer=" — ".join(signer.position for signer in planned.signers) or sender.positions[0],
        on_behalf="، ".join(on_behalf),
        copies=tuple(f"{_name(to, members)} {to.note}" for to in planned.recipients if to.is_copy),
    )


def _name(to: To, members: Mapping[str, Member]) -> str:
    """Its Persian name; its id for one that has not joined."""
    return members[to.body].fa if to.body in members else to.body


def _addressees(bodies: Sequence[str]) -> tuple[str, ...]:
    if len(bodies) == 1:
        return (f"ریاست محترم {bodies[0]}",)
    return ("رؤسای محترم:", *(f"{persian_digits(str(place))}. {name}" for place, name in enumerate(bodies, start=1)))
