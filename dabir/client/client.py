"""`Client`: a member's system at one hub, from its profile. Not for use by several threads at once."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from dabir.client import profile, receiving, sending
from dabir.client.directory import Directory, pages
from dabir.client.endpoints import webhook_secret
from dabir.client.errors import UnavailableError
from dabir.client.hub import Hub
from dabir.client.journal import Journal, LetterEntry
from dabir.client.life import Life, StatedReceipt, read_life, read_receipts
from dabir.client.mailbox import delivery, envelopes, read_statements
from dabir.client.opening import Opened
from dabir.client.recalling import StatedRecall, recall_letter
from dabir.client.receiving import Decided, ReceiptDetails, Receiver
from dabir.client.sending import DocumentProgress, Sent
from dabir.client.trust import Proven, Trust
from dabir.client.watch_journal import Alarm, WatchJournal
from dabir.client.watching import Watching
from dabir.common.v1.manifest_pb2 import Manifest
from dabir.common.v1.receipt_pb2 import ReturnReason
from dabir.directory.v1.directory_pb2 import Body, Office
from dabir.intake.v1 import letter_pb2
from dabir.intake.v1.sender_service_pb2 import GetLetterRequest, ListLettersRequest, ListSentDeliveriesRequest

NO_DETAILS = ReceiptDetails()


def no_progress(_index: int, _moved_bytes: int, _size_bytes: int) -> None:
    """Progress for nobody."""


class Client:
    """Letters sent and received by one body. Close it, or use it in a `with` block.

    Every method may raise UnavailableError (nothing is lost, call again), RefusedError (the hub said no) and, where
    something is checked, VerificationError. All of them are ClientError.
    """

    def __init__(self, member: profile.Profile) -> None:
        self.profile = member
        self.trust = Trust(member.trust, member.hub)
        self.journal = Journal(member.journal)
        self.hub = Hub(member)
        self.directory = Directory(self.hub)
        self._receiver = Receiver(member, self.hub, self.trust, self.directory, self.journal)

    @classmethod
    def from_profile(cls, path: Path) -> "Client":
        """Reads a profile (profile.py says what stands in it). Raises ProfileError."""
        return cls(profile.read(path))

    def close(self) -> None:
        self.hub.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Sending

    def compose(self, letter: Manifest, files: Sequence[Path]) -> LetterEntry:
        """Signs a letter and keeps it in the journal; nothing is sent. See sending.compose for what is filled in."""
        return sending.compose(self.profile, self.journal, letter, files)

    def send(self, entry: LetterEntry, progress: DocumentProgress = no_progress, *, resumed: bool = False) -> Sent:
        """Sends a letter of the journal; `resumed` if it may have been sent in part before. May be repeated."""
        return sending.send(self.hub, self.trust, entry, progress, resumed=resumed)

    def reply(self, delivery: str, letter: Manifest, files: Sequence[Path]) -> LetterEntry:
        """Composes an answer to a delivery that our body accepted; `send` sends it."""
        return self.compose(receiving.reply_to(self.delivery(delivery).envelope, letter), files)

    def recall(self, letter: str, reason: str, deliveries: Sequence[str] = ()) -> StatedRecall:
        """Asks for a letter of ours back, or for the deliveries named, by our seal. May be repeated.

        What is not accepted yet is withdrawn soon after; of the rest each recipient grants or refuses it.
        `sent_deliveries` says how each stands.
        """
        return recall_letter(self.profile, self.hub, self.trust, self.journal, letter, reason, deliveries)

    def letters(
        self, office: str = "", state: letter_pb2.LetterState.ValueType = letter_pb2.LETTER_STATE_UNSPECIFIED
    ) -> Iterator[letter_pb2.Letter]:
        """Our body's letters, newest first."""
        request = ListLettersRequest(office=office, state=state)
        yield from pages(self.hub, self.hub.sender.ListLetters, request, "letters")

    def letter(self, name: str) -> letter_pb2.Letter:
        """One letter of our body's."""
        return self.hub.call(self.hub.sender.GetLetter, GetLetterRequest(name=name)).letter

    def sent_deliveries(self, letter: str) -> list[letter_pb2.SentDelivery]:
        """The deliveries of one of our body's letters, by number."""
        request = ListSentDeliveriesRequest(parent=letter)
        return list(pages(self.hub, self.hub.sender.ListSentDeliveries, request, "deliveries"))

    # Receiving

    def envelopes(
        self, office: str = "", state: letter_pb2.DeliveryState.ValueType = letter_pb2.DELIVERY_STATE_UNSPECIFIED
    ) -> Iterator[letter_pb2.Envelope]:
        """What came to our body, newest first."""
        return envelopes(self.hub, office, state)

    def delivery(self, name: str) -> letter_pb2.Delivery:
        """One delivery that came to our body; its content is there once it is accepted."""
        return delivery(self.hub, name)

    def accept(self, delivery: str, details: ReceiptDetails = NO_DETAILS) -> Decided:
        """Signs for a delivery, which opens it. Who is second gets what was decided before."""
        return self._receiver.accept(delivery, details)

    def refuse(self, delivery: str, reason: ReturnReason.ValueType, details: ReceiptDetails = NO_DETAILS) -> Decided:
        """Refuses a delivery, unread. Who is second gets what was decided before."""
        return self._receiver.refuse(delivery, reason, details)

    def return_delivery(
        self, delivery: str, reason: ReturnReason.ValueType, details: ReceiptDetails = NO_DETAILS
    ) -> Decided:
        """Sends an accepted delivery back, naming what `save` downloaded. Who is second gets what was decided."""
        return self._receiver.return_delivery(delivery, reason, details)

    def recall_of(self, delivery: str) -> StatedRecall:
        """The recall that an accepted delivery is asked back with, checked: what `answer_recall` answers."""
        return self._receiver.recall_of(delivery)

    def answer_recall(self, delivery: str, *, grant: bool, details: ReceiptDetails = NO_DETAILS) -> Decided:
        """Grants or refuses the recall of an accepted delivery. The first answer stands."""
        return self._receiver.answer_recall(delivery, details, grant=grant)

    def mark_read(self, delivery: str, position: str) -> Proven:
        """States that a person read an accepted delivery, by position: once for each call that ended."""
        return self._receiver.mark_read(delivery, position)

    def open(self, delivery: str) -> Opened:
        """The content of a delivery that was accepted, checked. `held` says why it is not to be acted on yet."""
        return self._receiver.open(delivery)

    def save(
        self, delivery: str, folder: Path, progress: DocumentProgress = no_progress, *, although_held: bool = False
    ) -> Opened:
        """Downloads the documents of an accepted delivery with what proves them, and confirms each.

        Raises HeldError while a letter that this one changes was not taken in (opening.py), unless `although_held`.
        """
        return self._receiver.save(delivery, folder, progress, although_held=although_held)

    def webhook_secret(self, url: str) -> str:
        """Has our body told by webhooks to `url` of all that comes; gives the secret that signs them, `whsec_…`.

        Asked for again, the endpoint stays the one that was made, and the secret is what it is by now.
        """
        return webhook_secret(self.hub, self.journal, url)

    # What is known and proved

    def life(self, name: str) -> Life:
        """The life of a letter our body sent, or of a delivery that came to it: statements and receipts, checked."""
        return read_life(self.hub, self.trust, self.directory, name)

    def statements(self, parent: str = "") -> list[Proven]:
        """The statements about a letter, delivery or body, or all that concern our body, by position, checked."""
        return read_statements(self.hub, self.trust, parent)

    def watch(
        self,
        after: int | None = None,
        *,
        caught_up: Callable[[int], None] = lambda _position: None,
        interrupted: Callable[[UnavailableError, float], None] = lambda _error, _seconds: None,
    ) -> Iterator[Proven]:
        """Our body's statements as they are stated, each checked, by position; it has no end.

        Goes on from where it was: that a statement was dealt with is kept in the journal when the next one is asked
        for, so one that was not is given again. `after`: from this position on instead. Whatever breaks the connection
        is waited for, and said to `interrupted` with the seconds until the next try; `caught_up` hears the ledger's
        position whenever there is nothing more to give.

        Raises AlarmError where a book or chain does not hold: the alarm is kept, and the next call goes on behind it.
        InputError when another process watches with this journal.
        """
        return Watching(self.profile, self.hub, self.trust, caught_up, interrupted).statements(after)

    def alarms(self) -> list[Alarm]:
        """The alarms of `watch` that are not settled, oldest first."""
        with WatchJournal(self.profile.journal) as journal:
            return journal.alarms()

    def settle_alarms(self) -> list[Alarm]:
        """Settles them all, and gives them; they stay in the journal.

        Raises InputError where the hub's ledger was cut and another process watches with this journal.
        """
        with WatchJournal(self.profile.journal) as journal:
            return journal.settle()

    def receipts(self, delivery: str) -> list[StatedReceipt]:
        """Every receipt of a delivery, oldest first, checked."""
        return read_receipts(self.hub, self.trust, self.directory, delivery)

    def bodies(self) -> list[Body]:
        """Every body, by name."""
        return self.directory.bodies()

    def offices(self, body: str = "bodies/-") -> list[Office]:
        """The offices of a body, or of all, by name."""
        return self.directory.offices(body)
