"""Error classes, and that domain rooms can use them without grpc."""

import subprocess
import sys

import grpc
import pytest

from services.runtime import errors
from services.runtime.errors import DabirError, FieldViolation, NotFound


class BodyNotFound(NotFound):
    reason = "BODY_NOT_FOUND"
    template = "There is no {body}."
    template_fa = "{body} نیست."


def test_the_sentence_is_made_from_the_template() -> None:
    error = BodyNotFound(body="bodies/x", tries=3)
    assert (error.code, error.reason, str(error)) == ("NOT_FOUND", "BODY_NOT_FOUND", "There is no bodies/x.")
    assert error.message_fa == "bodies/x نیست."
    assert error.metadata == {"body": "bodies/x", "tries": "3"}


def test_a_given_sentence_stands() -> None:
    violation = FieldViolation("name", "is gone")
    error = BodyNotFound("Gone.", body="bodies/x", field_violations=[violation], retry_after_seconds=1)
    assert (error.message, error.field_violations, error.retry_after_seconds) == ("Gone.", (violation,), 1)


def test_an_error_without_a_reason_cannot_be_raised() -> None:
    with pytest.raises(TypeError, match="has no reason"):
        NotFound("x")


def test_every_base_is_a_code_of_grpc() -> None:
    bases = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, DabirError)]
    assert len(bases) == 11
    assert all(base.code in grpc.StatusCode.__members__ for base in bases)


@pytest.mark.parametrize(
    "module",
    [
        "services.runtime.errors",
        "services.runtime.identity",
        "services.runtime.page_token",
        "services.directory.domain",
    ],
)
def test_it_imports_neither_grpc_nor_a_database(module: str) -> None:
    forbidden = "{'grpc', 'psycopg', 'minio', 'temporalio'}"
    code = f"import sys, {module}; found = {forbidden} & set(sys.modules); sys.exit(repr(found) if found else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
