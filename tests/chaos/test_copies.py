"""One of two copies is killed under letters and kept away: calls go on through the other, nothing is lost or twice."""

import contextlib
import random
import urllib.request
import uuid
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dabir.client import Client, RefusedError
from dabir.documents.v1.documents_pb2 import QueryUploadRequest
from dabir.formats import names
from infra.local.settings import config_file
from infra.local.stack import Stack
from tests.chaos import faults, whole
from tests.chaos.post import Post
from tests.chaos.traffic import Moment, Traffic
from tests.chaos.waiting import until

MOMENTS = {
    "intake": (Moment.SUBMITTING, Moment.ACCEPTED, Moment.REFUSING, Moment.ANSWERING),
    "documents": (Moment.UPLOADING, Moment.SUBMITTING, Moment.SAVING),
    "workers": (Moment.SUBMITTING, Moment.ACKNOWLEDGED, Moment.ACCEPTED),
}


@contextlib.contextmanager
def away(stack: Stack, process: str) -> Iterator[faults.Killed]:
    """The process is killed, and does not start again while the block runs: its settings are not to be found."""
    settings = config_file(stack, process)
    hidden = settings.with_suffix(".hidden")
    settings.rename(hidden)
    try:
        yield faults.kill(stack, process)
    finally:
        hidden.rename(settings)


@pytest.mark.parametrize("service", ["intake", "documents"])
def test_calls_go_on_through_the_other(stack: Stack, post: Post, chance: random.Random, service: str) -> None:
    both_serve(stack, post, service)
    victim, other = draw_victim(stack, chance, service)
    with Traffic(post, chance) as traffic:
        traffic.wait_for(chance.choice(MOMENTS[service]), 1)
        with away(stack, victim) as killed:
            before = served(stack, other)
            travelled = traffic.finish()
            assert served(stack, other) > before
    faults.wait_until_back(stack, killed)
    both_serve(stack, post, service)
    whole.check(stack, post, travelled)


def test_letters_go_on_through_the_other_worker(stack: Stack, post: Post, chance: random.Random) -> None:
    victim, _ = draw_victim(stack, chance, "workers")
    with Traffic(post, chance) as traffic:
        traffic.wait_for(chance.choice(MOMENTS["workers"]), 1)
        with away(stack, victim) as killed:
            travelled = traffic.finish()
    faults.wait_until_back(stack, killed)
    whole.check(stack, post, travelled)


def draw_victim(stack: Stack, chance: random.Random, service: str) -> tuple[str, str]:
    """One of its copies, and the other."""
    victim, other = chance.sample(faults.copies(stack, service), 2)
    print(f"{victim} is killed")
    return victim, other


def both_serve(stack: Stack, post: Post, service: str) -> None:
    """Returns when each copy has served members from now on, who call until then."""
    copies = faults.copies(stack, service)
    before = {copy: served(stack, copy) for copy in copies}

    def served_more() -> bool:
        for client in post.clients.values():
            call(client, service)
        return all(served(stack, copy) > before[copy] for copy in copies)

    until(f"{' and '.join(copies)} both serve members", served_more)


def call(client: Client, service: str) -> None:
    if service == "intake":
        next(client.letters(), None)
    else:
        with contextlib.suppress(RefusedError):  # there is no such document
            request = QueryUploadRequest(document=names.document(str(uuid.uuid4())))
            client.hub.call(client.hub.documents.QueryUpload, request)


def served(stack: Stack, process: str) -> float:
    """How many of members' calls the process has served since it was started."""
    with urllib.request.urlopen(f"http://{stack.address(f'{process}.metrics')}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families for sample in family.samples if sample.name == "dabir_calls_total"]
    of_members = ("SenderService/", "RecipientService/", ".DocumentService/")
    return sum(sample.value for sample in samples if any(part in sample.labels["rpc"] for part in of_members))
