"""Settings that somebody chose for a stack."""

import tomllib
from pathlib import Path

import pytest

from infra.local.pki import DevelopmentPki
from infra.local.settings import chosen_file, config_file, write_settings
from infra.local.stack import Stack, StackError


def written(directory: Path, chosen: str) -> Stack:
    stack = Stack(directory, 21000, 2)
    stack.make_folders()
    stack.make_secrets()
    chosen_file(directory).write_text(chosen, encoding="utf-8")
    write_settings(stack, DevelopmentPki(stack.pki))
    return stack


def test_what_is_chosen_goes_before_what_the_stack_says(tmp_path: Path) -> None:
    chosen = '[workers]\nreconcile_seconds = 2.5\n[intake]\nhub = "another"\ndefinition_folders = ["a", "b"]\n'
    stack = written(tmp_path, chosen)
    for name in ("workers", "workers-2", "intake", "intake-2", "evidence"):
        settings = tomllib.loads(config_file(stack, name).read_text(encoding="utf-8"))
        assert (settings["hub"] == "another") == name.startswith("intake")
        assert (settings.get("definition_folders") == ["a", "b"]) == name.startswith("intake")
        assert (settings.get("reconcile_seconds") == 2.5) == name.startswith("workers")


@pytest.mark.parametrize("chosen", ["[workers", "[worker]\nreconcile_seconds = 2\n", "intake = 3\n"])
def test_what_is_no_choice_is_refused(tmp_path: Path, chosen: str) -> None:
    with pytest.raises(StackError, match=r"settings\.toml"):
        written(tmp_path, chosen)
