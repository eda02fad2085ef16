"""No content in a history: a refusal's own sentence, which may quote what it refuses, stays with the service.

That no word of a real letter reaches a history is tested on the whole stack (tests/integration/workers).
"""

import pytest

from tests.workflow.conftest import Line

PLANTED = "محرمانه"
"""What the small hub's refusals say in their sentence."""


@pytest.mark.parametrize("fault", ["refuse", "out"])
async def test_a_services_sentence_is_not_kept(line: Line, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    getattr(line.hub, fault)("SetRetention")
    async with line.working(), line.following():
        plan = await line.hub.intake.register()
        await line.shows(plan.letter, DabirAttention="NEEDS_ATTENTION" if fault == "refuse" else "RETRYING")
        history = (await line.run_of(plan.letter).fetch_history()).to_json()
        described = await line.run_of(plan.letter).describe()
        details = await line.details(plan.letter)
    for text in (history, str(described.raw_description), details, caplog.text):
        assert PLANTED not in text
        assert PLANTED.encode("unicode-escape").decode() not in text
    if fault == "refuse":
        # The first line says what to do.
        assert "Put right what REFUSAL_ORDERED names, then send the update RetryNow." in history
