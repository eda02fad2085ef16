"""What a letter of the plan is: who writes to whom, what its page says, and what must come of it."""

from dataclasses import dataclass
from enum import Enum

from dabir.common.v1 import manifest_pb2 as pb
from dabir.common.v1 import receipt_pb2

ADMINISTRATIVE = "definitions/administrative/1"
CIRCULAR = "definitions/circular/1"
BANK_INQUIRY = "definitions/bank-inquiry/1"
ACCOUNT_CONTROL = "definitions/account-control/1"
BANKING = "definitions/banking/1"
GUARANTEE = "definitions/guarantee/1"
UNFREEZE_ORDER = "definitions/unfreeze-order/1"
FREEZE_ORDER = "definitions/demo-freeze-order/1"
NOTICE = "definitions/demo-notice/1"
SEIZURE = "definitions/demo-seizure/1"
TAX_INQUIRY = "definitions/demo-tax-inquiry/1"

REFUSAL_REASON = receipt_pb2.RETURN_REASON_NOT_COMPETENT
RETURN_REASON = receipt_pb2.RETURN_REASON_WRONG_ADDRESSEE


class Outcome(Enum):
    """What becomes of a delivery, its answer and its reading aside."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    ACCEPTED_LATE = "accepted late"
    RETURNED = "returned"
    WITHDRAWN = "recalled unopened"
    RECALL_REFUSED = "accepted, and its recall refused"


class Fault(Enum):
    """What is wrong with a letter that the hub must not register; the value is the reason it must give."""

    DIGEST = "DIGEST_MISMATCH"
    SIGNATURE = "SIGNATURE_WRONG"
    CO_SIGNER = "TOO_FEW_SIGNERS"
    RECIPIENT = "RECIPIENT_UNKNOWN"
    DOCUMENT = "DOCUMENT_REJECTED"
    LETTER_ID = "LETTER_ID_REUSED"


@dataclass(frozen=True)
class To:
    """A recipient, by its id in bodies.toml. `read_by`: the position of the person who reads it, "" for nobody."""

    body: str
    outcome: Outcome = Outcome.ACCEPTED
    is_copy: bool = False
    note: str = ""
    without_annex: bool = False
    read_by: str = ""


@dataclass(frozen=True)
class Signer:
    """A position that signs. With a capacity, it signs on behalf of another one, by a decree."""

    position: str
    capacity: pb.Capacity.ValueType = pb.CAPACITY_UNSPECIFIED
    on_behalf_of: str = ""
    decree: str = ""


@dataclass(frozen=True)
class Earlier:
    """An earlier letter that this one is something to: of the plan, by number, or outside Dabir, as it is written."""

    kind: pb.RelationKind.ValueType
    number: str
    body: str = ""
    date: str = ""


@dataclass(frozen=True)
class Letter:
    """One letter of the plan; `sender` is an id of bodies.toml, `paragraphs` are the page's text.

    `answers`: the number of the letter it answers; `at_the_last_minute`: shortly before that one's due. `overtakes`:
    the number of an earlier one that its recipient takes in after it. `annex`: the text of a second document.
    `closes`: whether it is over when the demo ends. `fault`: then nothing of it may be registered; `reuses`: the number
    of the letter whose id it takes.
    """

    number: str
    sender: str
    recipients: tuple[To, ...]
    subject: str
    paragraphs: tuple[str, ...]
    definition: str = ADMINISTRATIVE
    priority: pb.Priority.ValueType = pb.PRIORITY_NORMAL
    classification: pb.Classification.ValueType = pb.CLASSIFICATION_NORMAL
    acceptance_needed: bool = False
    answer_needed: bool = False
    signers: tuple[Signer, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    answers: str = ""
    at_the_last_minute: bool = False
    overtakes: str = ""
    annex: str = ""
    closes: bool = False
    fault: Fault | None = None
    reuses: str = ""

    @property
    def is_recalled(self) -> bool:
        """Whether its sender asks for it back."""
        return any(to.outcome in (Outcome.WITHDRAWN, Outcome.RECALL_REFUSED) for to in self.recipients)
