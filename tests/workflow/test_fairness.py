"""Every sending body gets its share of the workers: a flood by one holds up no other."""

from temporalio.service import RPCError, RPCStatusCode

from dabir.formats.statement import Event
from tests.waiting import eventually
from tests.workflow.conftest import Line

FLOOD, FEW = 60, 10
BEFORE = 30
"""The few are all in their mailboxes before this one of the flood."""


async def test_a_flood_by_one_body_holds_up_no_other(line: Line) -> None:
    """All queued while no worker runs, the flood first."""
    intake = line.hub.intake
    flood = {(await intake.register(sender_body="bodies/tax-office")).letter for _ in range(FLOOD)}
    few = {(await intake.register(sender_body="bodies/court")).letter for _ in range(FEW)}
    waiting = flood | few

    async def all_queued() -> bool:
        while waiting:
            try:
                await line.run_of(next(iter(waiting))).describe()
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:
                    raise
                return False
            waiting.pop()
        return True

    def available() -> list[str]:
        """Letters in the order in which they came into their mailbox."""
        stated = (subject for subject, event in intake.statements if event == Event.AVAILABLE)
        return [subject.partition("/deliveries/")[0] for subject in stated]

    async def all_available() -> bool:
        return len(available()) == FLOOD + FEW

    async with line.following():
        await eventually("a run of every letter waits for a worker", all_queued)
        assert available() == []
        async with line.working():
            await eventually("every letter is in its mailbox", all_available)
    places = [place for place, letter in enumerate(available()) if letter in few]
    before_the_last_of_few = places[-1] + 1 - FEW
    print(f"{before_the_last_of_few} of the flood came before the last of the few")
    assert before_the_last_of_few < BEFORE
