"""Facts that are told of while intake is asked."""

from collections.abc import Iterator

import pytest

from dabir.intake.v1.internal_service_pb2 import DeliveryPlan, GetLetterPlanResponse, LetterPlan
from dabir.intake.v1.letter_pb2 import DELIVERY_STATE_ACCEPTED, DELIVERY_STATE_AVAILABLE
from dabir.workflow.v1 import letter_pb2
from workers.letter import Followed, LetterWorkflow
from workers.step import Steps

LETTER = "letters/2f1ecf0a-51f8-4c5e-8b70-6f1b2f7f0b0a"
DELIVERY = f"{LETTER}/deliveries/1"


def fact(sequence: int) -> letter_pb2.FactStated:
    return letter_pb2.FactStated(subject=DELIVERY, sequence=sequence)


class Story(LetterWorkflow):
    """A story outside Temporal that asks `intake` for its plans."""

    def __init__(self, intake: Iterator[DeliveryPlan]) -> None:
        super().__init__(letter_pb2.LetterWorkflow(letter=LETTER))
        self._deliveries = {DELIVERY: Followed(DeliveryPlan(delivery=DELIVERY, sequence=1))}

        class Asked(Steps):
            async def insist(self, *_: object) -> GetLetterPlanResponse:  # type: ignore[override]  # one call only
                return GetLetterPlanResponse(plan=LetterPlan(letter=LETTER, deliveries=[next(intake)]))

        self._steps = Asked(self._changed)

    async def look_up(self) -> bool:
        """Whether there is news afterwards."""
        await self._look_up(DELIVERY)
        return self._noted.get(DELIVERY, 0) > self._deliveries[DELIVERY].plan.sequence


@pytest.mark.parametrize("told", [2, 3])
async def test_what_is_told_of_while_intake_answers_is_asked_about_again(told: int) -> None:
    def intake() -> Iterator[DeliveryPlan]:
        story.fact_stated(fact(told))  # the answer was on its way when the receipt came
        yield DeliveryPlan(delivery=DELIVERY, sequence=1, state=DELIVERY_STATE_AVAILABLE)
        yield DeliveryPlan(delivery=DELIVERY, sequence=told, state=DELIVERY_STATE_ACCEPTED)

    story = Story(intake())
    if told == 3:
        story.fact_stated(fact(2))
    assert await story.look_up()
    assert not await story.look_up()


async def test_what_intake_does_not_know_is_not_asked_about_without_end() -> None:
    story = Story(iter([DeliveryPlan(delivery=DELIVERY, sequence=1, state=DELIVERY_STATE_AVAILABLE)]))
    story.fact_stated(fact(2))
    assert not await story.look_up()
