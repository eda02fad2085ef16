"""Everything runs twice. One copy is killed under letters and kept away: they go on through the other.

Intake's, documents' and the workers' die in the course of one traffic and stay away until its letters have arrived.
"""

import contextlib
import os
import random
import urllib.request
import uuid
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

from dabir.client import Client, RefusedError
from dabir.documents.v1.documents_pb2 import QueryUploadRequest
from dabir.formats import names
from infra.local.settings import config_file
from infra.local.stack import Stack
from tests.chaos import faults, whole
from tests.chaos.post import Post
from tests.chaos.traffic import PHASES, Traffic, draw_moment
from tests.waiting import until

CALLED = ("directory", "intake", "documents")
"""By members; workers are called by nobody."""
KILLED = ("intake", "documents", "workers")


@contextlib.contextmanager
def away(stack: Stack, process: str) -> Iterator[faults.Killed]:
    """The process is killed, and while the block runs its successor waits for its settings."""
    settings = config_file(stack, process)
    hidden = settings.with_suffix(".hidden")
    settings.rename(hidden)
    os.mkfifo(settings)
    pipe = os.open(settings, os.O_RDWR)  # who reads waits as long as somebody may write
    try:
        yield faults.kill(stack, process)
    finally:
        hidden.replace(settings)
        os.write(pipe, settings.read_bytes())
        os.close(pipe)


def test_letters_go_on_through_the_other(stack: Stack, post: Post, chance: random.Random) -> None:
    killed: faults.Killed = {}
    before: dict[str, float] = {}
    both_serve(stack, post)
    with Traffic(post, chance) as traffic, contextlib.ExitStack() as absent:
        for service, phase in zip(chance.sample(KILLED, len(KILLED)), PHASES, strict=True):
            victim, other = chance.sample(faults.copies(stack, service), 2)
            traffic.wait_for(*draw_moment(chance, phase))
            print(f"{victim} is killed")
            killed |= absent.enter_context(away(stack, victim))
            if service in CALLED:
                before[other] = served(stack, other)
        travelled = traffic.finish()
        assert all(served(stack, other) > count for other, count in before.items())
    faults.wait_until_back(stack, killed)
    both_serve(stack, post)
    whole.check(stack, post, travelled)


def both_serve(stack: Stack, post: Post) -> None:
    """Returns when each copy of what members call has served them from now on, who call until then."""
    before = {copy: served(stack, copy) for service in CALLED for copy in faults.copies(stack, service)}

    def served_more() -> bool:
        for client in post.clients.values():
            call(client)
        return all(served(stack, copy) > count for copy, count in before.items())

    until(f"{' and '.join(before)} all serve members", served_more)


def call(client: Client) -> None:
    """One call of each of what members call."""
    client.bodies()
    next(client.letters(), None)
    with contextlib.suppress(RefusedError):  # there is no such document
        request = QueryUploadRequest(document=names.document(str(uuid.uuid4())))
        client.hub.call(client.hub.documents.QueryUpload, request)


def served(stack: Stack, process: str) -> float:
    """How many of members' calls the process has served since it was started."""
    with urllib.request.urlopen(f"http://{stack.address(f'{process}.metrics')}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families for sample in family.samples if sample.name == "dabir_calls_total"]
    of_members = ("SenderService/", "RecipientService/", ".DocumentService/", "DirectoryService/ListBodies")
    return sum(sample.value for sample in samples if any(part in sample.labels["rpc"] for part in of_members))
