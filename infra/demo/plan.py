"""The demo's letters as data: who writes to whom, what the page says, and what must come of it.

The numbers are those of the project's twenty-four letters; an answer has its question's number and `-answer`.
"""

from dataclasses import dataclass
from enum import Enum

from dabir.common.v1 import manifest_pb2, receipt_pb2

ADMINISTRATIVE = "definitions/administrative/1"
CIRCULAR = "definitions/circular/1"
BANK_INQUIRY = "definitions/bank-inquiry/1"
FREEZE_ORDER = "definitions/demo-freeze-order/1"
NOTICE = "definitions/demo-notice/1"


class Outcome(Enum):
    """What a recipient does."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    ACCEPTED_LATE = "accepted late"


class Fault(Enum):
    """What is wrong with a letter that the hub must not register; the value is the reason it must give."""

    DIGEST = "DIGEST_MISMATCH"
    SIGNATURE = "SIGNATURE_WRONG"
    RECIPIENT = "RECIPIENT_UNKNOWN"
    DOCUMENT = "DOCUMENT_REJECTED"


@dataclass(frozen=True)
class Letter:
    """One letter of the plan. Bodies are ids of bodies.toml; `paragraphs` are the page's text.

    `closes`: whether it is over when the demo ends. `fault`: then nothing of it may be registered.
    """

    number: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    paragraphs: tuple[str, ...]
    definition: str = ADMINISTRATIVE
    priority: manifest_pb2.Priority.ValueType = manifest_pb2.PRIORITY_NORMAL
    classification: manifest_pb2.Classification.ValueType = manifest_pb2.CLASSIFICATION_NORMAL
    acceptance_needed: bool = False
    answer_needed: bool = False
    answers: str = ""
    outcome: Outcome = Outcome.ACCEPTED
    closes: bool = False
    fault: Fault | None = None


REFUSAL_REASON = receipt_pb2.RETURN_REASON_NOT_COMPETENT

LATE = Letter(
    number="18",
    sender="province",
    recipients=("second-bank",),
    subject="تعطیلی اضطراری",
    paragraphs=(
        "به اطلاع می‌رساند با توجه به شرایط جوی، ادارات استان فردا تعطیل است.",
        "خواهشمند است شعب آن بانک در سطح استان را از این تصمیم آگاه و ترتیب کشیک لازم را فراهم فرمایید.",
    ),
    definition=NOTICE,
    priority=manifest_pb2.PRIORITY_URGENT,
    acceptance_needed=True,
    outcome=Outcome.ACCEPTED_LATE,
    closes=True,
)

REGISTERED = (
    LATE,
    Letter(
        number="1",
        sender="interior",
        recipients=("central-bank",),
        subject="معرفی نماینده",
        paragraphs=(
            "خواهشمند است نمایندهٔ آن بانک برای شرکت در کارگروه تبادل الکترونیکی نامه‌ها معرفی شود.",
            "نشست نخست کارگروه در محل این وزارت برگزار می‌شود و دستور جلسه پس از معرفی نماینده ارسال خواهد شد.",
        ),
        acceptance_needed=True,
        answer_needed=True,
        closes=True,
    ),
    Letter(
        number="2",
        sender="central-bank",
        recipients=("interior",),
        subject="پاسخ معرفی نماینده",
        paragraphs=("عطف به نامهٔ آن وزارت، مدیر ادارهٔ نظام‌های پرداخت این بانک به عنوان نماینده معرفی می‌شود.",),
        answers="1",
    ),
    Letter(
        number="4",
        sender="administration",
        recipients=(
            "interior",
            "central-bank",
            "economy",
            "inspection",
            "sample-bank",
            "second-bank",
            "third-bank",
            "tax",
            "water",
            "roads",
            "energy",
            "planning",
        ),
        subject="اتصال به پنجرهٔ ملی خدمات",
        paragraphs=(
            "در اجرای قانون، همهٔ دستگاه‌ها تا پایان ماه به پنجرهٔ ملی خدمات متصل شوند.",
            "گزارش هفتگی پیشرفت اتصال، با نام دستگاه‌هایی که دیر کرده‌اند، منتشر می‌شود.",
        ),
        definition=CIRCULAR,
        acceptance_needed=True,
    ),
    Letter(
        number="6",
        sender="court",
        recipients=("central-bank",),
        subject="استعلام حساب‌ها",
        paragraphs=(
            "فهرست حساب‌های محکوم‌علیه در شبکهٔ بانکی، با ذکر نام بانک و شعبه، به این شعبه اعلام شود.",
            "مستند قانونی: مادهٔ ۱۱۶ قانون برنامهٔ ششم و مادهٔ ۱۹ قانون نحوهٔ اجرای محکومیت‌های مالی.",
        ),
        definition=BANK_INQUIRY,
        priority=manifest_pb2.PRIORITY_URGENT,
        classification=manifest_pb2.CLASSIFICATION_CONFIDENTIAL,
        acceptance_needed=True,
        answer_needed=True,
        closes=True,
    ),
    Letter(
        number="6-answer",
        sender="central-bank",
        recipients=("court",),
        subject="پاسخ استعلام حساب‌ها",
        paragraphs=("عطف به استعلام آن شعبه، فهرست حساب‌های درخواستی به پیوست ارسال می‌شود.",),
        definition=BANK_INQUIRY,
        classification=manifest_pb2.CLASSIFICATION_CONFIDENTIAL,
        answers="6",
    ),
    Letter(
        number="8",
        sender="prosecutor",
        recipients=("sample-bank",),
        subject="دستور مسدودی",
        paragraphs=(
            "مبلغ مندرج در پیوست از حساب متهم نزد آن بانک بی‌درنگ مسدود و نتیجه به این دادسرا اعلام شود.",
            "این دستور تا صدور دستور رفع مسدودی معتبر است.",
        ),
        definition=FREEZE_ORDER,
        priority=manifest_pb2.PRIORITY_IMMEDIATE,
        classification=manifest_pb2.CLASSIFICATION_CONFIDENTIAL,
        acceptance_needed=True,
        closes=True,
    ),
    Letter(
        number="12",
        sender="water",
        recipients=("sample-bank",),
        subject="مطالبهٔ ضمانت‌نامه",
        paragraphs=("با توجه به انجام نشدن تعهد پیمانکار، وجه ضمانت‌نامهٔ پیوست مطالبه می‌شود.",),
        priority=manifest_pb2.PRIORITY_IMMEDIATE,
        acceptance_needed=True,
        outcome=Outcome.REFUSED,
        closes=True,
    ),
)
"""In the order in which they are sent. The late one goes first: its clock runs while the others travel."""

FAULTY = (
    Letter(
        number="21",
        sender="sample-bank",
        recipients=("economy",),
        subject="اعلام مانده",
        paragraphs=("ماندهٔ حساب‌های دولتی نزد این بانک در پایان ماه اعلام می‌شود.",),
        fault=Fault.SIGNATURE,
    ),
    Letter(
        number="22",
        sender="roads",
        recipients=("central-bank",),
        subject="ارسال قرارداد",
        paragraphs=("تصویر قرارداد پیوست برای آگاهی ارسال می‌شود.",),
        fault=Fault.DIGEST,
    ),
    Letter(
        number="23",
        sender="energy",
        recipients=("meteorology",),
        subject="دعوت به جلسه",
        paragraphs=("حضور نمایندهٔ آن سازمان در جلسهٔ هماهنگی ضروری است.",),
        fault=Fault.RECIPIENT,
    ),
    Letter(
        number="24",
        sender="registry-office",
        recipients=("interior",),
        subject="ارسال سند",
        paragraphs=("سند اسکن‌شده پیوست است.",),
        priority=manifest_pb2.PRIORITY_URGENT,
        fault=Fault.DOCUMENT,
    ),
)
"""Letters that the hub must refuse. The recipient of 23 has not joined."""
