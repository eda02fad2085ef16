"""Whose key signs a letter, and when one of the journal is settled by a refusal."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from dabir.client import RECIPIENT_KIND_TO, InputError, Manifest, Recipient, RefusedError, UnavailableError
from dabir.client import documents as transfer
from dabir.client.hub import Hub
from dabir.client.journal import Journal, LetterEntry
from dabir.client.profile import KeyPair
from dabir.client.sending import SUBMIT_TIMEOUT_SECONDS, TRY_OVER_SECONDS, compose, is_final, register
from dabir.common.v1.manifest_pb2 import ManifestDocument, Signer
from dabir.formats.manifest import parse_manifest
from dabir.intake.v1.sender_service_pb2 import SubmitLetterResponse
from tests.pki import write_files
from tests.unit.client.member import PaperHub, write_profile

ANSWER = SubmitLetterResponse()
TOO_LATE = RefusedError("WRITTEN_AT_OUT_OF_RANGE", "too late", code="INVALID_ARGUMENT")
NO_CLEARANCE = RefusedError("CLEARANCE_MISSING", "no clearance", code="PERMISSION_DENIED")
NOT_LISTED = RefusedError("CERTIFICATE_NOT_LISTED", "not listed", code="UNAUTHENTICATED")
NO_DOCUMENT = RefusedError("DOCUMENT_NOT_FOUND", "no document", code="FAILED_PRECONDITION")
DAMAGED = RefusedError("DAMAGED", "mend it", code="REJECTED")
NO_ANSWER = UnavailableError("UNAVAILABLE", "gone")


@dataclass
class Told:
    """A hub that answers uploads, and SubmitLetter, by what is told it here; one letter of the journal to send to it.

    Time is what `sleep` and `later` make of it.
    """

    entry: LetterEntry
    uploads: list[RefusedError | None] = field(default_factory=list)
    submits: list[SubmitLetterResponse | Exception] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    sender: Any = None
    later_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.sender = self

    SubmitLetter = None

    def call(self, _method: None, _request: object, *, timeout_seconds: float) -> SubmitLetterResponse:
        assert 0 < timeout_seconds <= SUBMIT_TIMEOUT_SECONDS
        assert self.entry.open_tries(), "it is noted before it is sent"
        self.asked.append("submit")
        answer = self.submits.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def upload(self, *_: object, resumed: bool) -> None:
        self.asked.append("go on" if resumed else "upload")
        if (refused := self.uploads.pop(0)) is not None:
            raise refused

    def later(self, seconds: float) -> None:
        self.later_seconds += seconds

    def send(self, *, resumed: bool) -> SubmitLetterResponse:
        manifest = Manifest(documents=[ManifestDocument(index=1)])
        return register(cast("Hub", self), self.entry, manifest, lambda *_: None, resumed)

    def refuses(self, *, resumed: bool) -> str:
        with pytest.raises(RefusedError) as raised:
            self.send(resumed=resumed)
        return raised.value.reason

    def gives_no_answer(self, *, resumed: bool) -> UnavailableError:
        with pytest.raises(UnavailableError) as raised:
            self.send(resumed=resumed)
        return raised.value

    @property
    def is_kept(self) -> bool:
        """Whether it will be sent again, and can be."""
        return not self.entry.is_settled and self.entry.document_file(1).exists()


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    page = tmp_path / "page.pdf"
    page.write_bytes(b"page")
    with Journal(tmp_path / "journal").new_letter(str(uuid.uuid4())) as draft:
        draft.add_document(1, page)
        draft.add_manifest(b"{}", [b"signature"], ["documents/one"])
    hub = Told(LetterEntry(draft.target))
    now: Callable[[], float] = time.time
    monkeypatch.setattr(transfer, "upload", hub.upload)
    monkeypatch.setattr(time, "sleep", hub.later)
    monkeypatch.setattr(time, "time", lambda: now() + hub.later_seconds)
    return hub


@pytest.mark.parametrize("refusal", [TOO_LATE, NO_CLEARANCE])
def test_the_refusal_of_the_only_try_settles_a_letter(told: Told, refusal: RefusedError) -> None:
    told.uploads, told.submits = [None], [refusal]
    assert told.refuses(resumed=False) == refusal.reason
    assert told.entry.is_settled


def test_so_does_that_of_a_document_before_the_letter_was_submitted(told: Told) -> None:
    told.uploads = [DAMAGED]
    assert told.refuses(resumed=True) == "DAMAGED"
    assert told.entry.is_settled


def test_a_certificate_that_is_not_listed_is_mended_and_the_letter_sent(told: Told) -> None:
    told.uploads, told.submits = [None, None], [NOT_LISTED, TOO_LATE]
    assert told.refuses(resumed=False) == "CERTIFICATE_NOT_LISTED"
    assert told.is_kept
    assert told.refuses(resumed=True) == "WRITTEN_AT_OUT_OF_RANGE", "the first try was answered"
    assert told.entry.is_settled


def test_a_refusal_while_an_earlier_try_may_still_run_settles_nothing(told: Told) -> None:
    """That one waits for the book, say, every check behind it; and registers the letter when the other was refused."""
    told.uploads, told.submits = [None], [NO_ANSWER, TOO_LATE, NO_ANSWER, ANSWER]
    error = told.gives_no_answer(resumed=False)
    assert error.reason == "EARLIER_TRY_OPEN"
    assert SUBMIT_TIMEOUT_SECONDS < (error.retry_after_seconds or 0) <= TRY_OVER_SECONDS
    assert told.is_kept
    assert told.send(resumed=True) == ANSWER
    assert told.asked == ["upload", "submit", "submit", "submit", "submit"]


def test_a_refusal_after_every_earlier_try_is_over_settles_it(told: Told) -> None:
    told.uploads, told.submits = [None], [NO_ANSWER, TOO_LATE, TOO_LATE]
    told.gives_no_answer(resumed=False)
    told.later(TRY_OVER_SECONDS)
    assert told.refuses(resumed=True) == "WRITTEN_AT_OUT_OF_RANGE"
    assert told.entry.is_settled


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("refusal", [NO_CLEARANCE, NOT_LISTED])
def test_no_refusal_of_the_caller_settles_a_letter_that_may_be_registered(
    told: Told, refusal: RefusedError, resumed: bool
) -> None:
    """However old it is; and nothing is uploaded, which without the clearance would be refused for another reason."""
    told.entry.begin_try()
    for _ in range(2):
        told.submits = [refusal]
        told.later(30 * 86_400)
        assert told.refuses(resumed=resumed) == refusal.reason
        assert told.is_kept
    assert told.asked == ["submit", "submit"]
    told.submits = [ANSWER]
    assert told.send(resumed=True) == ANSWER


def test_what_the_hub_lacks_of_a_letter_sent_before_is_uploaded(told: Told) -> None:
    told.entry.begin_try()
    told.uploads, told.submits = [None], [NO_DOCUMENT, ANSWER]
    assert told.send(resumed=False) == ANSWER
    assert told.asked == ["submit", "go on", "submit"]


@pytest.mark.parametrize("later_seconds", [0.0, TRY_OVER_SECONDS])
def test_a_refused_upload_settles_it_once_no_try_is_left(told: Told, later_seconds: float) -> None:
    told.entry.begin_try()
    told.later(later_seconds)
    told.uploads, told.submits = [DAMAGED], [NO_DOCUMENT]
    if later_seconds:
        assert told.refuses(resumed=True) == "DAMAGED"
    else:
        assert told.gives_no_answer(resumed=True).reason == "EARLIER_TRY_OPEN"
    assert told.entry.is_settled is bool(later_seconds)


def test_a_hub_that_does_not_answer_is_not_tried_for_ever(told: Told) -> None:
    told.uploads, told.submits = [None], [NO_ANSWER] * 10
    assert told.gives_no_answer(resumed=False).reason == "UNAVAILABLE"
    assert 3 < len(told.asked) < 10
    assert told.is_kept


def test_a_hub_that_asks_for_a_longer_wait_is_given_it_by_the_caller(told: Told) -> None:
    told.uploads, told.submits = [None], [UnavailableError("BUSY", "later", retry_after_seconds=30.0)]
    assert told.gives_no_answer(resumed=False).retry_after_seconds == 30.0


@pytest.mark.parametrize(
    ("code", "reason", "final"),
    [
        ("INVALID_ARGUMENT", "ANY", True),
        ("NOT_FOUND", "CERTIFICATE_NOT_LISTED", True),
        ("NOT_FOUND", "DELIVERY_NOT_FOUND", False),  # it was there when its receipt was written: now it is hidden
        ("NOT_FOUND", "LETTER_NOT_FOUND", False),
        ("PERMISSION_DENIED", "ROLE_MISSING", False),
        ("UNAUTHENTICATED", "ANY", False),
    ],
)
def test_a_refusal_of_the_caller_is_not_one_of_what_was_sent(code: str, reason: str, final: bool) -> None:
    assert is_final(RefusedError(reason, "any", code=code)) is final


def signed_as(typed: str, positions: tuple[str, ...], folder: Path) -> str:
    """The position in the manifest that a member signs who has keys of `positions` and types `typed`."""
    hub = PaperHub()
    profile = write_profile(hub, hub.seal(), folder)
    signers = [hub.authority.issue(purpose="sign", position=position) for position in positions]
    files = [write_files(signer, folder, f"sign-{place}") for place, signer in enumerate(signers)]
    profile = replace(profile, sign=tuple(KeyPair(certificate, key) for key, certificate in files))
    page = folder / "letter.pdf"
    page.write_bytes(b"%PDF-1.7")
    letter = Manifest(definition="definitions/administrative/1", subject="x", language="fa")
    letter.recipients.append(Recipient(office="bodies/a1/offices/b1", kind=RECIPIENT_KIND_TO))
    letter.signers.append(Signer(position=typed))
    entry = compose(profile, Journal(profile.journal), letter, [page])
    return parse_manifest(entry.manifest).signers[0].position


@pytest.mark.parametrize("typed", ["مدیر کل ۲", "مدير كل 2", " مدیر  كل ٢"])
def test_a_position_is_found_on_any_keyboard_and_stands_as_its_certificate_has_it(typed: str, tmp_path: Path) -> None:
    assert signed_as(typed, ("وزیر کشور", "مدیر کل ۲"), tmp_path) == "مدیر کل ۲"


def test_where_two_positions_differ_by_spelling_only_the_exact_one_signs(tmp_path: Path) -> None:
    positions = ("مدیر کل", "مدير كل")
    for place, typed in enumerate(positions):
        (tmp_path / str(place)).mkdir()
        assert signed_as(typed, positions, tmp_path / str(place)) == typed
    with pytest.raises(InputError, match="no key of مدیر كل"):
        signed_as("مدیر كل", positions, tmp_path)
