"""Log lines: JSON, with the ids of the call, and in production without what an exception says."""

import json
import logging
from collections.abc import Iterator
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any

import pytest
import structlog

from services.runtime import logs
from services.runtime.config import ProcessConfig


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def config(environment: str) -> ProcessConfig:
    return ProcessConfig(
        hub="h",
        source="intake",
        environment=environment,
        tls_certificate=Path(),
        tls_key=Path(),
        tls_roots=Path(),
        metrics_listen="",
    )


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_carries_the_ids_of_its_call(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(config("production"))
    context: Context = copy_context()
    context.run(logs.begin, "letter-0001", rpc="/a/B")
    context.run(logs.log.info, "registered", letter="letters/x")
    logs.log.info("outside")
    inside, outside = lines(capsys)
    assert inside["event"] == "registered"
    assert (inside["request_id"], inside["rpc"], inside["letter"]) == ("letter-0001", "/a/B", "letters/x")
    assert (inside["source"], inside["level"]) == ("intake", "info")
    assert "request_id" not in outside


def test_what_a_stranger_wrote_moves_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(config("production"))
    given = "a\n\x1b[2J\x9b2J\u202e\u2028"
    logs.log.info("refused", media_type=given)
    logging.getLogger("grpc").warning("said %s", given)
    written = capsys.readouterr().err
    assert written.isascii()
    assert [json.loads(line)["event"] for line in written.splitlines()] == ["refused", f"said {given}"]


def test_lines_of_libraries_are_of_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(config("production"))
    logging.getLogger("psycopg.pool").warning("error connecting in %r", "intake")
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["source"]) == ("error connecting in 'intake'", "warning", "intake")


@pytest.mark.parametrize(("environment", "shown"), [("production", False), ("development", True)])
def test_what_an_exception_says_may_quote_content(
    capsys: pytest.CaptureFixture[str], environment: str, shown: bool
) -> None:
    logs.configure(config(environment))

    def fail() -> None:
        raise ValueError("subject is محرمانه")

    try:
        fail()
    except ValueError as error:
        logs.log.error("internal_error", exc_info=error)
    (line,) = lines(capsys)
    assert line["exception"] == "ValueError"
    assert line["frames"][-1].endswith(" fail")
    assert ("محرمانه" in json.dumps(line, ensure_ascii=False)) == shown


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(config("production"))
    logs.log.debug("too_much")
    assert lines(capsys) == []
