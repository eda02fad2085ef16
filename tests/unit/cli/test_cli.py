"""What a person types and what comes back, as far as no hub is needed for it."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from dabir.cli import arguments, words
from dabir.cli import hub as cli_hub
from dabir.cli.__main__ import main
from dabir.cli.session import Session
from dabir.client import Client, InputError, RefusedError
from dabir.client.journal import Journal
from dabir.common.v1 import manifest_pb2, receipt_pb2
from dabir.formats.manifest import parse_manifest
from dabir.formats.statement import Event
from dabir.intake.v1 import letter_pb2
from tests.unit.client.member import POSITION, PaperHub, write_profile

UUID = "4f0c1b1e-8f0b-4a55-9c3a-1f2d3c4b5a69"


def run(*typed: str) -> Result:
    return CliRunner().invoke(main, typed, env={"DABIR_PROFILE": None, "DABIR_STACK": None})


@pytest.mark.parametrize(
    ("argument", "typed", "meant"),
    [
        (arguments.LETTER, UUID, f"letters/{UUID}"),
        (arguments.LETTER, f"letters/{UUID}", f"letters/{UUID}"),
        (arguments.DELIVERY, f"{UUID}/3", f"letters/{UUID}/deliveries/3"),
        (arguments.DELIVERY, f"letters/{UUID}/deliveries/3", f"letters/{UUID}/deliveries/3"),
        (arguments.DELIVERY, f"{UUID.upper()}/۱۲", f"letters/{UUID}/deliveries/12"),
        (arguments.LETTER_OR_DELIVERY, UUID, f"letters/{UUID}"),
        (arguments.LETTER_OR_DELIVERY, f"{UUID}/3", f"letters/{UUID}/deliveries/3"),
        (arguments.LETTER_OR_DELIVERY, f"{UUID}/٣", f"letters/{UUID}/deliveries/3"),
        (arguments.OFFICE, "central-bank/main", "bodies/central-bank/offices/main"),
        (arguments.DEFINITION, "circular/1", "definitions/circular/1"),
        (arguments.DEFINITION, "circular/۱", "definitions/circular/1"),
        (arguments.DAY, "۱۴۰۵/۹/۱", "2026-11-22"),
        (arguments.DAY, "1405/09/01", "2026-11-22"),
        (arguments.DAY, "2026-11-22", "2026-11-22"),
        (arguments.INDEXES, "3,۱,3", (1, 3)),
        (arguments.LETTER, f"\u2068{UUID}\u2069", f"letters/{UUID}"),
        (arguments.DELIVERY, f"\u2066{UUID}/3\u2069", f"letters/{UUID}/deliveries/3"),
        (arguments.NUMBER, "\u2066۱۲/۳\u2069", "۱۲/۳"),
        (arguments.INSTANT, "2026-11-22T13:30:00+03:30", datetime(2026, 11, 22, 10, tzinfo=UTC)),
    ],
)
def test_what_may_be_typed(argument: arguments.Written[Any], typed: str, meant: object) -> None:
    assert argument.convert(typed, None, None) == meant


@pytest.mark.parametrize(
    ("argument", "typed"),
    [
        (arguments.LETTER, "1405/12"),
        (arguments.DELIVERY, UUID),
        (arguments.DELIVERY, f"{UUID}/0"),
        (arguments.OFFICE, "central-bank"),
        (arguments.DEFINITION, "circular"),
        (arguments.DAY, "1405/13/01"),
        (arguments.DAY, "tomorrow"),
        (arguments.INSTANT, "2026-11-22T13:30:00"),
        (arguments.INSTANT, "+3"),
        (arguments.INDEXES, "0"),
        (arguments.INDEXES, "1,"),
        (arguments.INDEXES, "101"),
    ],
)
def test_what_may_not_be_typed(argument: arguments.Written[Any], typed: str) -> None:
    with pytest.raises(click.BadParameter):
        argument.convert(typed, None, None)


def test_an_instant_from_now() -> None:
    before = datetime.now(UTC)
    meant = arguments.INSTANT.convert("+2h", None, None)
    assert 7199 <= (meant - before).total_seconds() <= 7201


def test_everything_has_a_word_in_both_languages() -> None:
    assert set(words.EVENTS) == set(Event) - {Event.CONTENT_CONSIGNMENT}
    for said, enum in (
        (words.DELIVERY_STATES, letter_pb2.DeliveryState),
        (words.LETTER_STATES, letter_pb2.LetterState),
        (words.PRIORITIES, manifest_pb2.Priority),
        (words.CLASSIFICATIONS, manifest_pb2.Classification),
        (words.REASONS, receipt_pb2.ReturnReason),
        (words.VERDICTS, receipt_pb2.Verdict),
        (words.RELATIONS, manifest_pb2.RelationKind),
        (words.CAPACITIES, manifest_pb2.Capacity),
    ):
        assert set(said) == set(enum.values()) - {0}


def test_without_a_profile_it_says_how_to_name_one() -> None:
    done = run("letters")
    assert done.exit_code == 2
    assert "DABIR_PROFILE" in done.stderr


def test_the_profile_may_stand_before_the_command(tmp_path: Path) -> None:
    named = str(tmp_path / "none.toml")
    for typed in (("--profile", named, "--json", "letters"), ("letters", "--json", "--profile", named)):
        done = run(*typed)
        assert (done.exit_code, json.loads(done.stdout)["reason"]) == (2, "PROFILE_NOT_FOUND")


@pytest.mark.parametrize(
    "typed",
    [
        ("letters",),
        ("letters", "--state", "lost"),
        ("accept", "1405/12"),
        ("hub", "logs", "--stack", "/nowhere"),
        ("hub", "add-body", "pilot"),
    ],
)
def test_json_is_answered_also_to_what_is_typed_wrongly(typed: tuple[str, ...]) -> None:
    done = run(*typed, "--json")
    assert (done.exit_code, json.loads(done.stdout)["reason"]) == (2, "USAGE")
    assert json.loads(done.stdout)["message"] in done.stderr


def test_where_no_stack_runs_no_body_is_added(tmp_path: Path) -> None:
    typed = ("hub", "add-body", "pilot", "--fa", "ب", "--en", "B", "--json", "--stack")
    for stack in (tmp_path / "none", tmp_path):
        done = run(*typed, str(stack))
        said = json.loads(done.stdout)
        assert (done.exit_code, said["reason"]) == (3, "NO_STACK")
        assert "`make up` starts one" in said["message"]
        assert "in production" in said["message"]


@pytest.mark.parametrize(
    ("code", "exit_code"), [("INVALID_ARGUMENT", 2), ("ALREADY_EXISTS", 1), ("UNAVAILABLE", 3), ("INTERNAL", 3)]
)
def test_a_body_that_is_not_added_is_told_by_whom_it_can_be_mended(
    code: str, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"ok": False, "code": code, "reason": "BAD_NAME", "message": "x"}
    monkeypatch.setattr(cli_hub, "_exchange", lambda *_: json.dumps(answer).encode())
    done = run("hub", "add-body", "Bad Name", "--fa", "ب", "--en", "B", "--json")
    assert (done.exit_code, json.loads(done.stdout)["reason"]) == (exit_code, "BAD_NAME")


@pytest.mark.parametrize(
    ("code", "reason", "cure"),
    [
        ("INVALID_ARGUMENT", "DUE_WITHOUT_RECIPIENT", "--answer-needed"),
        ("REJECTED", "DAMAGED", "Mend the file and run"),
    ],
)
def test_a_refusal_says_what_to_type(
    code: str, reason: str, cure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise RefusedError(reason, "x", code=code)

    monkeypatch.setattr(Client, "send", refused)
    hub = PaperHub()
    profile = write_profile(hub, hub.seal(), tmp_path)
    page = tmp_path / "letter.pdf"
    page.write_bytes(b"%PDF-1.7")
    done = run("--profile", str(profile.path), "send", "--to", "a1/b1", "--subject", "x", str(page))
    assert (done.exit_code, cure in done.stderr) == (1, True), done.stderr


def test_an_answer_has_no_option_to_and_speaks_of_none() -> None:
    said = run("reply", "--help").stdout
    assert "--to" not in said
    assert "--copy" in said


def test_a_subject_is_shown_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    subject = "[/b] [red]x :warning:"
    session = Session(None, as_json=False, shown_calendar="")
    table = session.table("subject")
    table.add_row(subject)
    session.out.print(table)
    session.line("subject", subject)
    assert capsys.readouterr().out.count(subject) == 2


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    hub = PaperHub()
    profile = write_profile(hub, hub.seal(), tmp_path)
    page = tmp_path / "letter.pdf"
    page.write_bytes(b"%PDF-1.7")
    profile.journal.write_bytes(b"no folder")
    done = run("--json", "--profile", str(profile.path), "send", "--to", "a1/b1", "--subject", "x", str(page))
    assert (done.exit_code, json.loads(done.stdout)["reason"]) == (2, "FILE_UNUSABLE"), done.stderr


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pdf"
    empty.touch()
    done = run("send", "--to", "a1/b1", "--subject", "x", str(empty))
    assert done.exit_code == 2
    assert "empty.pdf' is empty" in done.stderr


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pdf")
    done = run("send", "--to", "a1/b1", "--subject", "x", str(tmp_path / "pipe.pdf"))
    assert done.exit_code == 2
    assert "pipe.pdf' is not a regular file" in done.stderr


def test_what_a_large_file_takes_is_said_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise InputError("READ", "")

    monkeypatch.setattr(Client, "compose", read)
    hub = PaperHub()
    profile = write_profile(hub, hub.seal(), tmp_path)
    page = tmp_path / "film.pdf"
    for size_bytes, said in ((1 << 20, (False, False)), (1 << 28, (True, False)), ((2 << 30) + 1, (True, True))):
        page.touch()
        os.truncate(page, size_bytes)
        done = run("--profile", str(profile.path), "send", "--to", "a1/b1", "--subject", "x", str(page))
        assert ("MiB are copied" in done.stderr, "split it" in done.stderr) == said


def test_an_error_is_a_sentence_and_with_json_an_object(tmp_path: Path) -> None:
    done = run("letters", "--json", "--profile", str(tmp_path / "none.toml"))
    assert done.exit_code == 2
    assert "there is no profile at" in done.stderr
    said = json.loads(done.stdout)
    assert (said["ok"], said["exit"], said["reason"]) == (False, 2, "PROFILE_NOT_FOUND")


def test_a_hub_that_is_down_is_exit_code_3(tmp_path: Path) -> None:
    hub = PaperHub()
    profile = write_profile(hub, hub.seal(), tmp_path)
    done = run("letters", "--json", "--profile", str(profile.path))
    assert (done.exit_code, json.loads(done.stdout)["reason"]) == (3, "UNAVAILABLE")
    assert "Nothing is lost" in done.stderr


def test_a_letter_to_a_hub_that_is_down_stands_in_the_journal(tmp_path: Path) -> None:
    hub = PaperHub()
    profile = write_profile(hub, hub.seal(), tmp_path)
    page = tmp_path / "letter.pdf"
    page.write_bytes(b"%PDF-1.7")
    typed = ("--profile", str(profile.path), "--to", "central-bank/main", "--subject", "معرفی نماینده", str(page))
    done = run("send", *typed, "--json")
    (kept,) = (profile.journal / "letters").iterdir()
    said = json.loads(done.stdout)
    assert (done.exit_code, said["exit"], said["letter"]) == (3, 3, f"letters/{kept.name}")
    assert "`dabir send --resume`" in said["message"]
    assert "second letter" in said["message"]
    again = run("send", "--resume", "--json", "--profile", str(profile.path))
    said = json.loads(again.stdout)
    waiting = {"letter": f"letters/{kept.name}", "subject": "معرفی نماینده"}
    assert (again.exit_code, said["waiting"], said["sent"]) == (3, [waiting], [])
    assert "kept: 1." in said["message"]
    assert f"{waiting['letter']}: {waiting['subject']}" in again.stderr
    assert list((profile.journal / "letters").iterdir()) == [kept]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("send", "--subject", "x"), "at least one FILE"),
        (("send", "--resume", "--to", "a1/b1"), "--resume sends what stands in the journal"),
        (("refuse", f"{UUID}/1"), "--reason"),
        (("refuse", f"{UUID}/1", "--reason", "unreadable"), "not-competent"),
        (("reply", f"{UUID}/1"), "at least one FILE"),
        (("return", f"{UUID}/1"), "--reason"),
        (("read", f"{UUID}/1"), "--position"),
        (("recall", UUID), "--reason"),
        (("answer-recall", f"{UUID}/1"), "--grant or --refuse"),
    ],
)
def test_what_is_missing_is_said(typed: tuple[str, ...], said: str) -> None:
    done = run(*typed)
    assert done.exit_code == 2
    assert said in done.stderr


def composed(tmp_path: Path, *typed: str) -> tuple[Result, manifest_pb2.Manifest | None]:
    """What `dabir send` signs, as it stands in the journal: the hub is down."""
    hub = PaperHub()
    profile = write_profile(hub, hub.seal(), tmp_path)
    pages = [tmp_path / name for name in ("letter.pdf", "annex.pdf", "plan.pdf")]
    for page in pages:
        page.write_bytes(b"%PDF-1.7")
    done = run("--json", "--profile", str(profile.path), "send", "--subject", "x", *typed, *map(str, pages))
    entries = Journal(profile.journal).letters()
    return done, parse_manifest(entries[0].manifest) if entries else None


def test_everything_that_may_be_said_of_a_letter(tmp_path: Path) -> None:
    typed = ["--to", "a1/b1", "--to", "a1/b2", "--copy", "c1/d1", "--note", "to all", "--note-for", "c1/d1", "to one"]
    typed += ["--documents-for", "c1/d1", "3", "--answer-needed", "--follow-up", UUID, "--revokes", UUID]
    typed += ["--outside", "cites", "وزارت", "۱۲/۳", "۱۴۰۵/۰۹/۰۱", "--priority", "immediate"]
    typed += ["--classification", "confidential", "--classification-basis", "y", "--legal-basis", "z"]
    typed += ["--position", POSITION, "--capacity", "deputy", "--on-behalf-of", "رئیس", "--decree", "۴۵"]
    _, letter = composed(tmp_path, *typed)
    assert letter is not None
    to, copy = manifest_pb2.RECIPIENT_KIND_TO, manifest_pb2.RECIPIENT_KIND_COPY
    assert [(one.kind, one.note, list(one.documents), one.answer_needed) for one in letter.recipients] == [
        (to, "to all", [], True),
        (to, "to all", [], True),
        (copy, "to one", [1, 3], False),
    ]
    name = f"letters/{UUID}"
    assert [(one.kind, one.letter or (one.body, one.number, one.date)) for one in letter.relations] == [
        (manifest_pb2.RELATION_KIND_FOLLOW_UP, name),
        (manifest_pb2.RELATION_KIND_REVOKES, name),
        (manifest_pb2.RELATION_KIND_CITES, ("وزارت", "۱۲/۳", "2026-11-22")),
    ]
    (signer,) = letter.signers
    said = (signer.capacity, signer.on_behalf_of, signer.decree)
    assert said == (manifest_pb2.CAPACITY_DEPUTY, "رئیس", "۴۵")
    assert (letter.priority, letter.classification, letter.classification_basis, list(letter.legal_basis)) == (
        manifest_pb2.PRIORITY_IMMEDIATE,
        manifest_pb2.CLASSIFICATION_CONFIDENTIAL,
        "y",
        ["z"],
    )


@pytest.mark.parametrize(
    ("typed", "reason", "said"),
    [
        (("--to", "a1/b1", "--note-for", "c1/d1", "x"), "USAGE", "bodies/c1/offices/d1, which gets nothing"),
        (("--to", "a1/b1", "--documents-for", "c1/d1", "1"), "USAGE", "bodies/c1/offices/d1, which gets nothing"),
        (("--to", "a1/b1", "--documents-for", "a1/b1", "4"), "NO_SUCH_DOCUMENT", "4 is not a document"),
        (("--to", "a1/b1", "--copy", "a1/b1"), "DUPLICATE_RECIPIENT", "at most once"),
        (("--to", "a1/b1", "--capacity", "deputy"), "USAGE", "need --position"),
        (("--to", "a1/b1", "--position", POSITION, "--capacity", "on-behalf"), "MISSING_FIELD", "onBehalfOf"),
        (("--to", "a1/b1", "--position", POSITION, "--position", "nobody"), "NO_SUCH_POSITION", "no key of nobody"),
        (("--to", "a1/b1", "--position", POSITION, "--position", POSITION), "DUPLICATE_SIGNER", "signs once"),
        (("--to", "a1/b1", "--outside", "cites", "y", "n" * 65, "1405/09/01"), "TOO_LONG", "relations[0].number"),
    ],
)
def test_what_a_letter_cannot_say(typed: tuple[str, ...], reason: str, said: str, tmp_path: Path) -> None:
    done, letter = composed(tmp_path, *typed)
    answer = json.loads(done.stdout)
    assert (done.exit_code, answer["reason"], letter) == (2, reason, None)
    assert said in answer["message"]


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("رد نامه به دلیل RETURN_REASON_DUPLICATE را نمی‌پذیرد.", "رد نامه به دلیل «تکراری است» را نمی‌پذیرد."),
        ("letters/x در وضعیت WITHDRAWN است", "letters/x در وضعیت «پس گرفته شد» است"),
        (
            "1 گیرنده وجود ندارد، نخستین آن bodies/b1/offices/o2 است.",
            "۱ گیرنده وجود ندارد، نخستین آن bodies/b1/offices/o2 است.",
        ),
        (
            "definitions/x/1 به 2 امضا نیاز دارد، 1405/12 را 2026-11-22T10:00:00Z از 8.",
            "definitions/x/1 به ۲ امضا نیاز دارد، 1405/12 را 2026-11-22T10:00:00Z از ۸.",
        ),
        ("مهلت answer آمده است", "مهلت پاسخ آمده است"),
        ("نشانی bodies/answer/offices/acceptance نیست", "نشانی bodies/answer/offices/acceptance نیست"),
        ("RETURN_REASON_DUPLICATE is not permitted", "RETURN_REASON_DUPLICATE is not permitted"),
    ],
)
def test_a_persian_sentence_holds_persian_words(sentence: str, shown: str) -> None:
    assert words.in_persian(sentence) == shown


def stack(folder: Path, *, pid: int, start: int, state: str = "up") -> Path:
    process = {"state": state, "pid": 1, "restarts": 0, "reason": "", "ports": [1]}
    (folder / "run").mkdir()
    (folder / "logs").mkdir()
    status = {"supervisor": {"pid": pid, "start": start}, "processes": {"intake": process}}
    (folder / "run" / "status.json").write_text(json.dumps(status), encoding="utf-8")
    (folder / "logs" / "intake.log").write_text("".join(f"line {n}\n" for n in range(1000)), encoding="utf-8")
    return folder


def our_start() -> int:
    return int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])


@pytest.mark.parametrize(("state", "code"), [("up", 0), ("starting", 1)])
def test_hub_status_tells_whether_all_are_up(tmp_path: Path, state: str, code: int) -> None:
    folder = stack(tmp_path, pid=os.getpid(), start=our_start(), state=state)
    done = run("hub", "status", "--json", "--stack", str(folder))
    said = json.loads(done.stdout)
    assert (done.exit_code, said["processes"]["intake"]["state"]) == (code, state)
    assert (said.get("exit", 0), said.get("reason")) == (code, "STACK_DOWN" if code else None)


def test_hub_status_is_not_fooled_by_a_number_that_is_anothers_now(tmp_path: Path) -> None:
    folder = stack(tmp_path, pid=os.getpid(), start=our_start() - 1)
    done = run("hub", "status", "--stack", str(folder))
    assert done.exit_code == 1
    assert "No stack is running" in done.stderr


def test_hub_logs_gives_the_end(tmp_path: Path) -> None:
    folder = stack(tmp_path, pid=1, start=1)
    done = run("hub", "logs", "--json", "--stack", str(folder), "--lines", "2", "intake")
    assert json.loads(done.stdout)["logs"] == {"intake": ["line 998", "line 999"]}
    assert run("hub", "logs", "--stack", str(folder), "nobody").exit_code == 2
