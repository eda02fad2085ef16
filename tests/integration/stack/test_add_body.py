"""A body of one's own: asked for at the command line, it takes part; killed anywhere, its making completes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dabir.cli.__main__ import main
from dabir.client import RECIPIENT_KIND_TO, Client, Manifest, Recipient
from dabir.client import profile as profiles
from dabir.directory.v1.directory_pb2 import GetCertificatesRequest
from dabir.intake.v1.letter_pb2 import DELIVERY_STATE_ANSWERED
from infra.demo import render
from infra.local import control
from infra.local.members import Member, make_keys, make_profiles, members, profile_folder, write_profile
from infra.local.pki import DevelopmentPki
from infra.local.stack import Stack
from tests.waiting import until


def add_body(stack: Stack, *typed: str) -> tuple[int, dict[str, Any]]:
    """Exit code and answer."""
    command = ["hub", "add-body", "--json", "--stack", str(stack.directory), *typed]
    done = CliRunner().invoke(main, command)
    return done.exit_code, json.loads(done.stdout)


def letter(page: Path, office: str) -> Manifest:
    page.write_bytes(render.pdf(render.Paper("ف", "د", "م", (), (), ("گیرنده",), "آزمون", ("متن.",), "رئیس")))
    recipient = Recipient(office=office, kind=RECIPIENT_KIND_TO)
    return Manifest(definition="definitions/administrative/1", subject="آزمون", recipients=[recipient])


def test_it_gets_a_letter_takes_it_in_and_answers(stack: Stack, tmp_path: Path) -> None:
    code, made = add_body(stack, "pilot", "--fa", "دستگاه آزمون", "--en", "Pilot", "--office", "north")
    assert (code, made["office"]) == (0, "bodies/pilot/offices/north")
    page = tmp_path / "letter.pdf"
    planning = profile_folder(stack, next(member for member in members() if member.id == "planning")) / "profile.toml"
    with Client.from_profile(planning) as sender, Client.from_profile(Path(made["profile"])) as pilot:
        sent = sender.send(sender.compose(letter(page, made["office"]), [page])).letter.name
        delivery = f"{sent}/deliveries/1"
        until(f"{delivery} comes", lambda: [one for one in pilot.envelopes() if one.delivery == delivery])
        assert pilot.accept(delivery).by_us
        pilot.save(delivery, tmp_path / "saved")
        assert (tmp_path / "saved" / "1-letter.pdf").read_bytes() == page.read_bytes()
        answer = Manifest(definition="definitions/administrative/1", subject="پاسخ")
        pilot.send(pilot.reply(delivery, answer, [page]))
        assert [one.state for one in sender.sent_deliveries(sent)] == [DELIVERY_STATE_ANSWERED]


def certificates(made: Path, name: str) -> int:
    with Client.from_profile(made) as client:
        request = GetCertificatesRequest(parent=f"bodies/{name}")
        return len(client.hub.call(client.hub.directory.GetCertificates, request).certificates)


def test_asked_for_again_it_stays_and_another_wish_is_refused(stack: Stack) -> None:
    same = ("asked-again", "--fa", "الف", "--en", "A")
    code, made = add_body(stack, *same)
    before = {file: file.read_bytes() for file in Path(made["profile"]).parent.rglob("*") if file.is_file()}
    assert (code, add_body(stack, *same)) == (0, (0, made))
    for other, reason in (
        (("asked-again", "--fa", "ب", "--en", "A"), "BODY_ALREADY_EXISTS"),
        ((*same, "--office", "second"), "OTHER_OFFICE"),
        ((*same, "--position", "معاون"), "OTHER_POSITIONS"),
    ):
        code, said = add_body(stack, *other)
        assert (code, said["reason"]) == (1, reason)
        assert said["message"]
    assert {file: file.read_bytes() for file in before} == before
    assert certificates(Path(made["profile"]), "asked-again") == 3
    assert add_body(stack, *same, "--position", "رئیس", "--position", "معاون")[0] == 0
    assert len(profiles.read(Path(made["profile"])).sign) == 2
    assert certificates(Path(made["profile"]), "asked-again") == 4


NAMES = ("--fa", "ب", "--en", "B")


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        (("Pilot", *NAMES), "BAD_NAME"),
        (("../pilot", *NAMES), "BAD_NAME"),
        (("bad", *NAMES, "--office", "a/b"), "BAD_NAME"),
        (("interior", *NAMES), "BODY_OF_THE_DEMO"),
        (("bad", "--fa", "", "--en", "B"), "REQUEST_INVALID"),
        (("bad", "--fa", "\u202e", "--en", "B"), "BIDI_CHARACTER"),
        (("bad", "--fa", "ب", "--en", "B" * 100_000), "REQUEST_INVALID"),
        (("bad", *NAMES, "--position", " "), "POSITIONS_INVALID"),
        (("bad", *NAMES, "--position", "ر" * 201), "POSITIONS_INVALID"),
        (("bad", *NAMES, "--position", "ر\n"), "CONTROL_CHARACTER"),
        (("bad", *NAMES, "--position", "ر", "--position", "ر"), "POSITIONS_INVALID"),
        (("bad", *NAMES, *(f"--position={number}" for number in range(21))), "POSITIONS_INVALID"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_made(stack: Stack, typed: tuple[str, ...], reason: str) -> None:
    code, said = add_body(stack, *typed)
    assert (code, said["reason"]) == (1 if reason == "BODY_OF_THE_DEMO" else 2, reason)
    assert not (stack.directory / "profiles" / "bad").exists()
    with Client.from_profile(profile_folder(stack, members()[0]) / "profile.toml") as client:
        assert "bodies/bad" not in {body.name for body in client.bodies()}


# Each child is killed before its n-th step; a step is a call of directory or a file written. The parent, which never
# opens a channel and so may fork, then lets another one run to the end.
KILLED = """
import os, signal, sys
from pathlib import Path
from infra.local import add_body, members, pki, stack
opened = stack.opened(Path(sys.argv[1]))

def run(name, deadly):
    left = [deadly]
    def counted(step):
        def count(*given, **named):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*given, **named)
        return count
    members.write = pki.write = counted(stack.write)
    add_body._Directory._call = counted(add_body._Directory._call)
    add_body.add_body(opened, members.Member(name, "ب", "B", ("رئیس",)))

def child(name, deadly):
    pid = os.fork()
    if pid == 0:
        run(name, deadly)
        os._exit(0)
    return os.waitpid(pid, 0)[1]

number, killed = 0, signal.SIGKILL
while killed == signal.SIGKILL:
    number += 1
    killed = child(f"killed-{number}", number)
    assert child(f"killed-{number}", 0) == 0
assert killed == 0
print(number)
"""


def test_killed_before_any_step_and_asked_for_again_it_completes(stack: Stack) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(stack.directory)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    steps = int(done.stdout)
    assert steps > 15
    for number in range(1, steps + 1):
        assert certificates(stack.directory / "profiles" / f"killed-{number}" / "profile.toml", f"killed-{number}") == 3


def test_the_next_start_gives_its_profile_the_addresses_of_that_start(tmp_path: Path) -> None:
    first = Stack(tmp_path, 20_000)
    control.prepare(first)
    own, authority = Member("own", "ب", "B", ("رئیس",)), DevelopmentPki(first.pki)
    made = write_profile(first, authority, own, make_keys(authority, own, profile_folder(first, own)))
    before = profiles.read(made)
    made.write_text(made.read_text(encoding="utf-8").replace('language = "fa"', 'language = "en"'), encoding="utf-8")
    root = made.parent / "trust" / "roots" / "root.pem"
    root.unlink()
    make_profiles(Stack(tmp_path, 21_000), authority)
    after = profiles.read(made)
    assert set(after.services.values()).isdisjoint(before.services.values())
    assert (after.language, after.sign, after.office) == ("en", before.sign, before.office)
    assert root.exists()


def test_what_is_half_made_is_no_body_of_the_next_start(tmp_path: Path) -> None:
    stack = Stack(tmp_path, 20_000)
    control.prepare(stack)
    make_keys(DevelopmentPki(stack.pki), Member("half", "ب", "B", ("رئیس",)), tmp_path / "profiles" / "half")
    control.prepare(stack)
    assert not (tmp_path / "profiles" / "half" / "profile.toml").exists()
