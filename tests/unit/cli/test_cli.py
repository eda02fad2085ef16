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
from dabir.cli.__main__ import main
from dabir.cli.session import Session
from dabir.common.v1 import manifest_pb2, receipt_pb2
from dabir.formats.statement import Event
from dabir.intake.v1 import letter_pb2
from tests.unit.client.member import PaperHub, write_profile

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
        (arguments.LETTER_OR_DELIVERY, UUID, f"letters/{UUID}"),
        (arguments.LETTER_OR_DELIVERY, f"{UUID}/3", f"letters/{UUID}/deliveries/3"),
        (arguments.OFFICE, "central-bank/main", "bodies/central-bank/offices/main"),
        (arguments.DEFINITION, "circular/1", "definitions/circular/1"),
        (arguments.DAY, "۱۴۰۵/۹/۱", "2026-11-22"),
        (arguments.DAY, "1405/09/01", "2026-11-22"),
        (arguments.DAY, "2026-11-22", "2026-11-22"),
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
    done = run("send", *typed)
    assert done.exit_code == 3
    assert "--resume" in done.stderr
    kept = list((profile.journal / "letters").iterdir())
    assert len(kept) == 1
    assert run("send", "--resume", "--profile", str(profile.path)).exit_code == 3
    assert list((profile.journal / "letters").iterdir()) == kept


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("send", "--subject", "x"), "at least one FILE"),
        (("send", "--resume", "--to", "a1/b1"), "--resume sends what stands in the journal"),
        (("refuse", f"{UUID}/1"), "--reason"),
        (("refuse", f"{UUID}/1", "--reason", "unreadable"), "not-competent"),
        (("reply", f"{UUID}/1"), "at least one FILE"),
    ],
)
def test_what_is_missing_is_said(typed: tuple[str, ...], said: str) -> None:
    done = run(*typed)
    assert done.exit_code == 2
    assert said in done.stderr


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
    assert (done.exit_code, json.loads(done.stdout)["processes"]["intake"]["state"]) == (code, state)


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
