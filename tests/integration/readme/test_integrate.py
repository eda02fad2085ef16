"""docs/integrate.md as its reader follows it: the wheel in an environment of its own, the page's code as it stands."""

import contextlib
import http.client
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from socket import create_server
from typing import Any
from urllib.parse import urlsplit

import pytest

from dabir.client import profile as profiles
from infra.demo import render
from infra.local.stack import Stack
from tests.conftest import free_port

CHECKOUT = Path(__file__).resolve().parents[3]
PAGE = (CHECKOUT / "docs" / "integrate.md").read_text(encoding="utf-8")
UV, BUF = (Path(sys.executable).with_name(name) for name in ("uv", "buf"))
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Integrator:
    """Somebody who has the wheel and two profiles, and works in `folder`."""

    folder: Path
    stack: Stack

    def run(self, program: str, *arguments: str, code: int = 0) -> str:
        """What a program of the environment prints; `code` is the exit status it must have."""
        done = subprocess.run(
            [self.folder / "app" / "bin" / program, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def dabir(self, body: str, *arguments: str) -> dict[str, Any]:
        """The answer of `dabir` as a body."""
        answer: dict[str, Any] = json.loads(self.run("dabir", "--json", "--profile", self.profile(body), *arguments))
        return answer

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the checkout's."""
        return {"PATH": os.defpath, "DABIR_STACK": str(self.stack.directory)}

    def profile(self, body: str) -> str:
        return str(self.stack.directory / "profiles" / body / "profile.toml")


@pytest.fixture(scope="module")
def integrator(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Integrator:
    folder = tmp_path_factory.mktemp("integrator")
    uv("build", "--wheel", "--quiet", "--out-dir", str(folder / "dist"), str(CHECKOUT))
    (wheel,) = (folder / "dist").glob("dabir-*.whl")
    uv("venv", "--quiet", "--python", sys.executable, str(folder / "app"))
    uv("pip", "install", "--quiet", "--python", str(folder / "app"), str(wheel), "standardwebhooks")
    send, receive = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (folder / "send.py").write_text(send, encoding="utf-8")
    (folder / "receive.py").write_text(receive, encoding="utf-8")
    page = render.Paper("ف", "د", "م", (), (), ("گیرنده",), "آزمون", ("متن.",), "رئیس")
    (folder / "letter.pdf").write_bytes(render.pdf(page))
    made = Integrator(folder, stack)
    for command in re.findall(r"^dabir (hub add-body .*)$", PAGE, re.MULTILINE):
        made.run("dabir", *(given.strip('"') for given in re.findall(r'"[^"]*"|\S+', command)))
    return made


def uv(*arguments: str) -> None:
    done = subprocess.run([UV, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def until(what: str, condition: Callable[[], Any]) -> Any:
    """What the condition gives, as soon as it gives something."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS} s: {what}"
        time.sleep(0.1)
    return found


def send(integrator: Integrator, subject: str) -> str:
    """The name of the letter that the page's sender sent."""
    typed = (integrator.profile("payroll"), "bodies/archive/offices/main", subject, "letter.pdf")
    name, number = integrator.run("python", "send.py", *typed).split()
    assert re.fullmatch(r"\d+/\d+", number)
    return name


def test_the_wheel_alone_sends_and_takes_in(integrator: Integrator) -> None:
    installed = integrator.run("python", "-c", "import dabir.cli.__main__, sys; print(*sys.modules)")
    assert not {"infra", "services", "workers", "standardwebhooks"} & set(installed.split())
    delivery = f"{send(integrator, 'بی گیرندهٔ خودکار')}/deliveries/1"
    until(
        "it came",
        lambda: delivery in integrator.run("dabir", "--profile", integrator.profile("archive"), "inbox", "--json"),
    )
    assert integrator.dabir("archive", "accept", delivery)["subject"] == "بی گیرندهٔ خودکار"
    (saved,) = integrator.dabir("archive", "save", delivery, "--to", "saved")["files"]
    assert (integrator.folder / saved).read_bytes() == (integrator.folder / "letter.pdf").read_bytes()


def test_a_refusal_is_a_sentence_and_leaves_nothing_to_resume(integrator: Integrator) -> None:
    typed = (integrator.profile("payroll"), "bodies/nobody/offices/main", "به هیچ‌کس", "letter.pdf")
    assert "RECIPIENT_UNKNOWN" in integrator.run("python", "send.py", *typed, code=1)
    assert integrator.run("python", "send.py", integrator.profile("payroll")) == ""


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("send.py",), "send.py PROFILE [OFFICE SUBJECT FILE]: "),
        (("send.py", "PROFILE", "bodies/archive/offices/main", "x"), "send.py PROFILE [OFFICE SUBJECT FILE]: "),
        (("send.py", "none.toml"), "PROFILE_NOT_FOUND "),
        (("send.py", "ELSEWHERE", "bodies/archive/offices/main", "x", "letter.pdf"), "Run me again"),
        (("send.py", "PROFILE", "bodies/archive/offices/main", "x", "none.pdf"), "No such file"),
        (("receive.py",), "receive.py PROFILE URL FOLDER: "),
        (("receive.py", "none.toml", "URL", "folder"), "there is no profile"),
        (("receive.py", "ELSEWHERE", "URL", "folder"), "Nothing is lost"),
        (("receive.py", "PROFILE", "http://127.0.0.1:port/", "folder"), "receive.py PROFILE URL FOLDER: "),
        (("receive.py", "PROFILE", "TAKEN", "folder"), "Address already in use"),
        (("receive.py", "PROFILE", "URL", "letter.pdf/folder"), "Not a directory"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(typed: tuple[str, ...], said: str, integrator: Integrator) -> None:
    with contextlib.closing(create_server(("127.0.0.1", 0))) as taken:
        meant = {
            "PROFILE": integrator.profile("payroll"),
            "ELSEWHERE": str(elsewhere(integrator, *profiles.SERVICES)),
            "URL": f"http://127.0.0.1:{free_port()}/",
            "TAKEN": f"http://127.0.0.1:{taken.getsockname()[1]}/",
        }
        program, *arguments = (meant.get(word, word) for word in typed)
        printed = integrator.run("python", program, *arguments, code=1)
    assert said in printed
    assert "Traceback" not in printed


@contextlib.contextmanager
def receiving(integrator: Integrator) -> Iterator[str]:
    """The URL where the page's receiver listens, running."""
    url = f"http://127.0.0.1:{free_port()}/"
    command: list[str | Path] = [
        integrator.folder / "app" / "bin" / "python",
        "receive.py",
        integrator.profile("archive"),
        url,
        "archive",
    ]
    log = integrator.folder / "receive.log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            command, cwd=integrator.folder, env=integrator.environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        until("it listens", lambda: running.poll() is not None or b"listening" in log.read_bytes())
        assert running.poll() is None, log.read_text(encoding="utf-8")
        yield url
    finally:
        running.terminate()
        running.wait(10)


def test_the_receiver_signs_for_a_letter_and_saves_it(integrator: Integrator) -> None:
    with receiving(integrator) as url:
        letter = send(integrator, "با گیرندهٔ خودکار")
        kept = Path("archive") / letter / "deliveries" / "1"
        until("it is saved", lambda: str(kept) in (integrator.folder / "receive.log").read_text(encoding="utf-8"))
        sent = (integrator.folder / "letter.pdf").read_bytes()
        assert (integrator.folder / kept / "1-letter.pdf").read_bytes() == sent
        life = integrator.dabir("payroll", "letter", letter)
        assert (life["ok"], [receipt["verdict"] for receipt in life["receipts"]]) == (True, ["VERDICT_ACCEPTED"])
        answer = integrator.dabir("archive", "reply", f"{letter}/deliveries/1", "--subject", "پاسخ", "letter.pdf")
        assert integrator.dabir("payroll", "letter", letter)["deliveries"][0]["answer"] == answer["letter"]["name"]
        for headers in ({"webhook-id": "1"}, {"content-length": ""}, {"content-length": "many"}):
            with contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)) as stranger:
                stranger.request("POST", "/", None if "content-length" in headers else b'{"type": ""}', headers)
                assert stranger.getresponse().status == 400


def test_the_receiver_saves_what_an_earlier_one_signed_for_only(integrator: Integrator) -> None:
    """And one that is held, because an earlier letter never came, keeps it from nothing."""
    elsewhere_sent = integrator.dabir("payroll", "send", "--to", "interior/main", "--subject", "حکم", "letter.pdf")
    typed = ("--to", "archive/main", "--subject", "لغو", "--revokes", elsewhere_sent["letter"]["name"], "letter.pdf")
    held = f"{integrator.dabir('payroll', 'send', *typed)['letter']['name']}/deliveries/1"
    accepted = f"{send(integrator, 'بی پوشه')}/deliveries/1"
    until("both came", lambda: {held, accepted} <= names(integrator.dabir("archive", "inbox")["deliveries"]))
    integrator.dabir("archive", "accept", accepted)
    with receiving(integrator):
        said = (integrator.folder / "receive.log").read_text(encoding="utf-8")
    assert f"{held}: " in said
    assert (integrator.folder / "archive" / accepted / "1-letter.pdf").exists()
    assert not (integrator.folder / "archive" / held).exists()


def names(listed: list[dict[str, Any]]) -> set[str]:
    return {one["name"] for one in listed}


TUNNELLED = re.findall(r"^app/bin/(dabir) --profile \S+ (tunnel .*) &\n(buf curl .*)$", PAGE, re.MULTILINE)


def test_go_calls_through_the_tunnel_as_the_page_says(integrator: Integrator) -> None:
    ((program, tunnel, curl),) = TUNNELLED
    command: list[str | Path] = [
        integrator.folder / "app" / "bin" / program, "--profile", integrator.profile("payroll"), *tunnel.split()
    ]  # fmt: skip
    socket = integrator.folder / tunnel.split()[-1]
    running = subprocess.Popen(command, cwd=integrator.folder, env=integrator.environment, stdout=subprocess.PIPE)
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == f"directory at {socket.name}, as bodies/payroll\n".encode()
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        for _ in range(2):
            done = subprocess.run(
                [BUF, *curl.split()[1:]], cwd=integrator.folder, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert "bodies/payroll" in {body["name"] for body in json.loads(done.stdout)["bodies"]}
        again = integrator.run("dabir", "--profile", integrator.profile("payroll"), *tunnel.split(), code=2)
        assert "SOCKET_EXISTS" in again
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=10)
    assert running.returncode == 0
    assert not socket.exists()


def elsewhere(integrator: Integrator, *services: str) -> Path:
    """The profile of one for whom these services do not answer."""
    profile = Path(integrator.profile("payroll"))
    text = profile.read_text(encoding="utf-8")
    for service in services:
        text = re.sub(rf'(?m)^{service} = ".*"$', f'{service} = "127.0.0.1:{free_port()}"', text)
    made = profile.with_name("elsewhere.toml")
    made.write_text(text, encoding="utf-8")
    return made


def test_a_tunnel_to_a_hub_that_is_down_is_not_opened(integrator: Integrator, tmp_path: Path) -> None:
    profile = str(elsewhere(integrator, "directory"))
    said = integrator.run("dabir", "--profile", profile, "tunnel", "directory", str(tmp_path / "s"), code=3)
    assert "NO_ANSWER" in said
    assert not (tmp_path / "s").exists()


def test_go_cannot_read_the_certificates_as_yet_as_the_page_says(stack: Stack) -> None:
    """The day this fails, nobody needs `dabir tunnel`: the page gets the line with `buf curl` that stands here."""
    member = profiles.read(stack.directory / "profiles" / "interior" / "profile.toml")
    identity = (
        "--cacert",
        member.trust / "roots" / "root.pem",
        "--cert",
        member.tls.certificate,
        "--key",
        member.tls.key,
    )
    url = f"https://{member.services['directory']}/dabir.directory.v1.DirectoryService/ListBodies"
    command: list[str | Path] = [BUF, "curl", "--protocol", "grpc", "--servername", member.server_name, *identity, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "x509: malformed extension OID field" in done.stderr
