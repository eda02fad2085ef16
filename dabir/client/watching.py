"""Our body's feed: statements as they are stated, each checked, chains followed, alarms where they do not hold."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from dabir.client.chains import Break, End, Step, follow, is_whole
from dabir.client.errors import AlarmError, RefusedError, UnavailableError, VerificationError
from dabir.client.hub import Hub
from dabir.client.profile import Profile
from dabir.client.trust import Proven, Trust
from dabir.client.watch_journal import LEDGER_CUT, Alarm, WatchJournal
from dabir.common.v1 import manifest_pb2
from dabir.directory.v1 import directory_pb2
from dabir.evidence.v1.evidence_pb2 import WatchStatementsRequest, WatchStatementsResponse
from dabir.formats.signer import certificate_sha256, load_certificates

FIRST_WAIT_SECONDS, MOST_WAIT_SECONDS = 0.5, 30.0
"""Before the next try after a break: twice as long each time, half of it by chance, so that not all come at once."""

_TO_DO = (
    "Keep the journal, it holds the statement. Ask the hub for a written explanation, and its supervisor if none "
    "comes. The next `dabir watch` goes on from here"
)
_WHAT = {
    Break.WITHHELD: "a statement before it was withheld from us or lost",
    Break.FORKED: "the hub tells two stories of this chain",
    Break.REPEATED: "the hub gives it a second time, as if it were new",
}
_CLEARANCES = {
    directory_pb2.ROLE_CLEARANCE_CONFIDENTIAL: manifest_pb2.CLASSIFICATION_CONFIDENTIAL,
    directory_pb2.ROLE_CLEARANCE_HIGHLY_CONFIDENTIAL: manifest_pb2.CLASSIFICATION_HIGHLY_CONFIDENTIAL,
}


class Watching:
    """One reader of the feed."""

    def __init__(
        self,
        member: Profile,
        hub: Hub,
        trust: Trust,
        caught_up: Callable[[int], None],
        interrupted: Callable[[UnavailableError, float], None],
    ) -> None:
        self._member, self._hub, self._trust = member, hub, trust
        self._caught_up, self._interrupted = caught_up, interrupted

    def statements(self, after: int | None) -> Iterator[Proven]:
        """See Client.watch."""
        with WatchJournal(self._member.journal) as journal, journal.alone():
            clearance = self._patiently(self._clearance)
            journal.set_clearance(clearance)
            shown_after = journal.position if after is None else after
            cleared = clearance == manifest_pb2.CLASSIFICATION_HIGHLY_CONFIDENTIAL
            for proven in self._in_order(journal, min(journal.judged, shown_after)):
                ends = {}
                if proven.position > journal.judged:
                    ends = self._follow(journal, proven, fully_cleared=cleared)
                if proven.position > shown_after:
                    yield proven
                journal.dealt_with(proven.position, ends)

    def _follow(self, journal: WatchJournal, proven: Proven, *, fully_cleared: bool) -> dict[str, End]:
        """Where the statement's chains end. Raises AlarmError where one does not hold, once."""
        steps = follow(proven, journal, lambda chain: is_whole(chain, self._member.body, fully_cleared=fully_cleared))
        broken = [alarm for step in steps if (alarm := _alarm(proven, step)) is not None]
        new = [alarm for alarm in broken if journal.add_alarm(alarm)]
        if new:
            raise AlarmError(new[0].reason, " | ".join(alarm.sentence for alarm in new))
        return {step.chain: step.end for step in steps}

    def _in_order(self, journal: WatchJournal, after: int) -> Iterator[Proven]:
        """The statements after a position, each once, over every break. Raises AlarmError."""
        for message in self._messages(journal, after):
            if not message.HasField("statement"):
                self._caught_up(message.position)
                after = max(after, message.position)
                continue
            proven = self._trust.statement(message.statement)
            if proven.position != message.position:
                raise VerificationError("MISLABELLED", f"{proven.name} is not where the hub says; keep it, report it")
            if proven.position <= after:
                said = f"{proven.name} came at position {proven.position}, after {after}: {_WHAT[Break.REPEATED]}"
                said = f"{said}, or slips it in. {_TO_DO}"
                if journal.add_alarm(Alarm(Break.REPEATED, "", proven.name, said, proven.jws)):
                    raise AlarmError(Break.REPEATED, said)
                continue
            after = proven.position
            yield proven

    def _messages(self, journal: WatchJournal, after: int) -> Iterator[WatchStatementsResponse]:
        """What the hub sends, for ever: a new stream goes on where the one before broke. Raises RefusedError."""
        wait_seconds = FIRST_WAIT_SECONDS
        while True:
            try:
                for message in self._stream(after):
                    after, wait_seconds = max(after, message.position), FIRST_WAIT_SECONDS
                    yield message
            except UnavailableError as error:
                wait_seconds = self._wait(error, wait_seconds)
            except RefusedError as error:
                if error.reason != "POSITION_AHEAD":
                    raise
                said = f"the hub's ledger ends before position {after}, which it gave us: {error}. {_TO_DO}"
                journal.add_alarm(Alarm(LEDGER_CUT, "", f"position {after}", said, ""))
                raise AlarmError(LEDGER_CUT, said) from error

    def _stream(self, after: int) -> Iterator[WatchStatementsResponse]:
        metadata = self._hub.metadata()
        with self._hub.errors(metadata):
            call = self._hub.evidence.WatchStatements(WatchStatementsRequest(after_position=after), metadata=metadata)
            try:
                while (message := _next(call, self._member.watch_silence_seconds)) is not None:
                    yield message
            finally:
                call.cancel()
        raise UnavailableError("STREAM_ENDED", "the hub ended the stream without a word; trying again")

    def _clearance(self) -> int:
        """What the hub's directory has our certificate cleared for."""
        request = directory_pb2.GetCertificatesRequest(parent=self._member.body)
        ours = certificate_sha256(load_certificates(self._member.tls.certificate)[0])
        listed = self._hub.call(self._hub.directory.GetCertificates, request).certificates
        roles = [role for certificate in listed if certificate.sha256 == ours for role in certificate.roles]
        return max((_CLEARANCES.get(role, 0) for role in roles), default=0) or manifest_pb2.CLASSIFICATION_NORMAL

    def _patiently(self, ask: Callable[[], int]) -> int:
        wait_seconds = FIRST_WAIT_SECONDS
        while True:
            try:
                return ask()
            except UnavailableError as error:
                wait_seconds = self._wait(error, wait_seconds)

    def _wait(self, error: UnavailableError, wait_seconds: float) -> float:
        """Says so and waits; returns how long to wait the next time."""
        seconds = max(error.retry_after_seconds or 0.0, wait_seconds * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        self._interrupted(error, seconds)
        time.sleep(seconds)
        return min(2 * wait_seconds, MOST_WAIT_SECONDS)


def _next(call: Any, silence_seconds: float) -> WatchStatementsResponse | None:
    """The next message of a stream; None at its end. The hub says its position every 10 seconds: a stream that is quiet
    for longer is ended, for whoever holds it would hear nothing for ever. Raises UnavailableError.
    """
    silent = threading.Event()

    def end() -> None:
        silent.set()
        call.cancel()

    watchdog = threading.Timer(silence_seconds, end)
    watchdog.daemon = True
    watchdog.start()
    try:
        message: WatchStatementsResponse | None = next(call, None)
    except grpc.RpcError:
        if not silent.is_set():
            raise
        said = f"the hub said nothing for {silence_seconds:g} seconds, not even its position; asking it again"
        raise UnavailableError("STREAM_SILENT", said) from None
    finally:
        watchdog.cancel()
    return message


def _alarm(proven: Proven, step: Step) -> Alarm | None:
    if step.broken is None or step.gap is None:
        return None
    gap = step.gap
    said = f"{gap.chain} {gap.sequence} ({proven.name}) {gap.what}: {_WHAT[step.broken]}. {_TO_DO}"
    return Alarm(step.broken, gap.chain, proven.name, said, proven.jws)
