"""Nothing that reads members' rows can be called without saying for whom."""

import inspect
from types import ModuleType

import pytest

from services.intake.store import deliveries, letters, recalls, receipts

# What writes, what decides under locks after the row was found for its caller, and what only the hub's own are shown.
WITHOUT = {
    letters: {"request_sha256", "insert", "get", "close", "list_open", "clock"},
    deliveries: {
        *("insert", "lock", "make_available", "decide", "answer", "flag_late_acceptance", "flag_late_answer"),
        *("send_back", "withdraw", "answer_recall", "read_first", "lock_of_letter", "of_letter", "sequences"),
    },
    receipts: {"insert"},
    recalls: {"insert", "of_letter"},
}


@pytest.mark.parametrize("module", WITHOUT, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_reader_says_for_whom_it_reads(module: ModuleType) -> None:
    functions = {
        name: function
        for name, function in inspect.getmembers(module, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }
    assert WITHOUT[module] <= functions.keys()
    for name in functions.keys() - WITHOUT[module]:
        asked = inspect.signature(functions[name]).parameters.get("caller_body")
        assert asked is not None, f"{name} reads members' rows for nobody"
        assert asked.default is inspect.Parameter.empty
