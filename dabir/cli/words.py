"""What is said to people, in Persian and in English, in the words of the design (docs and protos use the same)."""

import re
from collections.abc import Mapping
from typing import TypeVar

from dabir.common.v1 import manifest_pb2, receipt_pb2
from dabir.formats import persian
from dabir.formats.statement import Event
from dabir.intake.v1 import letter_pb2

V = TypeVar("V", bound=int)

LANGUAGES = ("fa", "en")

EVENTS: dict[str, tuple[str, str]] = {
    Event.SUBMISSION_ACCEPTANCE: ("ثبت شد", "registered"),
    Event.AVAILABLE: ("رسیده", "in the mailbox"),
    Event.CONSIGNMENT_ACCEPTANCE: ("رسید داده شد", "accepted"),
    Event.CONSIGNMENT_REJECTION: ("پذیرفته نشد", "refused"),
    Event.ACCEPTANCE_REJECTION_EXPIRY: ("مهلت پذیرش گذشت", "acceptance is late"),
    Event.CONTENT_ACCESS_TRACKING: ("رؤیت شد", "read"),
    Event.CONTENT_HANDOVER: ("اسناد تحویل شد", "documents handed over"),
    Event.NOTIFICATION_FOR_ACCEPTANCE: ("اطلاع داده شد", "notified"),
    Event.NOTIFICATION_FOR_ACCEPTANCE_FAILURE: ("اطلاع داده نشد", "not notified"),
    Event.RECALL: ("درخواست استرداد", "recall asked"),
    Event.VOID: ("شماره باطل شد", "number void"),
    Event.BOOK_CLOSED: ("دفتر بسته شد", "book closed"),
    Event.RETURNED: ("عودت شد", "returned"),
    Event.ANSWERED: ("پاسخ داده شد", "answered"),
    Event.ANSWER_OVERDUE: ("مهلت پاسخ گذشت", "answer is late"),
    Event.WITHDRAWN: ("پس گرفته شد", "withdrawn"),
    Event.RECALL_ANSWERED: ("استرداد پاسخ داده شد", "recall answered"),
    Event.CLOSED: ("بسته شد", "closed"),
    Event.CERTIFICATE_ADDED: ("گواهی امضا افزوده شد", "certificate added"),
    Event.CERTIFICATE_REVOKED: ("گواهی امضا باطل شد", "certificate revoked"),
    Event.OPERATOR_ACTION: ("اقدام اپراتور", "operator's action"),
}
DELIVERY_STATES = {
    letter_pb2.DELIVERY_STATE_CREATED: ("در راه", "created"),
    letter_pb2.DELIVERY_STATE_AVAILABLE: ("رسیده", "available"),
    letter_pb2.DELIVERY_STATE_ACCEPTED: ("رسید داده شد", "accepted"),
    letter_pb2.DELIVERY_STATE_REFUSED: ("پذیرفته نشد", "refused"),
    letter_pb2.DELIVERY_STATE_RETURNED: ("عودت", "returned"),
    letter_pb2.DELIVERY_STATE_ANSWERED: ("پاسخ", "answered"),
    letter_pb2.DELIVERY_STATE_WITHDRAWN: ("پس گرفته شد", "withdrawn"),
}
LETTER_STATES = {
    letter_pb2.LETTER_STATE_OPEN: ("باز", "open"),
    letter_pb2.LETTER_STATE_CLOSED: ("بسته", "closed"),
}
PRIORITIES = {
    manifest_pb2.PRIORITY_NORMAL: ("عادی", "normal"),
    manifest_pb2.PRIORITY_URGENT: ("فوری", "urgent"),
    manifest_pb2.PRIORITY_IMMEDIATE: ("آنی", "immediate"),
}
CLASSIFICATIONS = {
    manifest_pb2.CLASSIFICATION_NORMAL: ("عادی", "normal"),
    manifest_pb2.CLASSIFICATION_CONFIDENTIAL: ("محرمانه", "confidential"),
    manifest_pb2.CLASSIFICATION_HIGHLY_CONFIDENTIAL: ("خیلی محرمانه", "highly-confidential"),
    manifest_pb2.CLASSIFICATION_SECRET: ("سری", "secret"),
    manifest_pb2.CLASSIFICATION_TOP_SECRET: ("به‌کلی سری", "top-secret"),
}
REASONS = {
    receipt_pb2.RETURN_REASON_WRONG_ADDRESSEE: ("گیرندهٔ نامه نیست", "wrong-addressee"),
    receipt_pb2.RETURN_REASON_NOT_COMPETENT: ("صلاحیت ندارد", "not-competent"),
    receipt_pb2.RETURN_REASON_DUPLICATE: ("تکراری است", "duplicate"),
    receipt_pb2.RETURN_REASON_CLASSIFICATION_NOT_ALLOWED: ("طبقه‌بندی مجاز نیست", "classification-not-allowed"),
    receipt_pb2.RETURN_REASON_ATTACHMENT_MISSING: ("پیوست ندارد", "attachment-missing"),
    receipt_pb2.RETURN_REASON_UNREADABLE: ("خوانا نیست", "unreadable"),
    receipt_pb2.RETURN_REASON_SIGNATURE_DOUBTED: ("امضا محل تردید است", "signature-doubted"),
}
VERDICTS = {
    receipt_pb2.VERDICT_ACCEPTED: ("رسید", "accepted"),
    receipt_pb2.VERDICT_REFUSED: ("پذیرفته نشد", "refused"),
    receipt_pb2.VERDICT_RETURNED: ("عودت", "returned"),
    receipt_pb2.VERDICT_RECALL_GRANTED: ("با استرداد موافقت شد", "recall granted"),
    receipt_pb2.VERDICT_RECALL_REFUSED: ("با استرداد موافقت نشد", "recall refused"),
}
RELATIONS = {
    manifest_pb2.RELATION_KIND_REPLY_TO: ("عطف", "reply-to"),
    manifest_pb2.RELATION_KIND_FOLLOW_UP: ("پیرو", "follow-up"),
    manifest_pb2.RELATION_KIND_CORRECTS: ("اصلاحیه", "corrects"),
    manifest_pb2.RELATION_KIND_REPLACES: ("جایگزین", "replaces"),
    manifest_pb2.RELATION_KIND_REVOKES: ("لغو", "revokes"),
    manifest_pb2.RELATION_KIND_CITES: ("اشاره", "cites"),
}
CAPACITIES = {
    manifest_pb2.CAPACITY_SELF: ("اصالتاً", "self"),
    manifest_pb2.CAPACITY_ON_BEHALF: ("از طرف", "on-behalf"),
    manifest_pb2.CAPACITY_DEPUTY: ("قائم‌مقام", "deputy"),
    manifest_pb2.CAPACITY_ACTING: ("کفیل", "acting"),
}
HINTS = {
    "DELIVERY_NOT_FOUND": (
        "آنچه به شما رسیده است: `dabir inbox`. نامه‌ای که فرستاده‌اید، با همهٔ تحویل‌هایش: `dabir letter` و شناسهٔ نامه",
        "What came to you: `dabir inbox`. What you sent, with all its deliveries: `dabir letter` and the letter's id",
    ),
    "LETTER_NOT_FOUND": (
        "آنچه فرستاده‌اید: `dabir letters`. آنچه به شما رسیده است: `dabir inbox`، سپس `dabir letter …/n`",
        "What you sent: `dabir letters`. What came to you: `dabir inbox`, then `dabir letter …/n`",
    ),
    "DUE_WITHOUT_RECIPIENT": (
        "با `--answer-due` باید `--answer-needed` هم بیاید، و با `--acceptance-due` باید `--acceptance-needed`",
        "--answer-due goes with --answer-needed, and --acceptance-due with --acceptance-needed",
    ),
    "RECIPIENT_UNKNOWN": ("دبیرخانه‌ها: `dabir bodies --offices`", "The offices there are: `dabir bodies --offices`"),
}
"""What to type next, by the reason of a refusal."""
REJECTED = (
    "این نامه ثبت نشد. سند را درست کنید و همان فرمان را دوباره اجرا کنید: نامه و سندها خود شناسهٔ تازه می‌گیرند.",
    "This letter was not registered. Mend the file and run the same command again: it draws new ids by itself.",
)
ALARM = ("هشدار", "ALARM")
ALARM_KEPT = (
    "دفترچه آن را نگاه می‌دارد تا سامانه کتبی توضیح دهد؛ پس از روشن شدن: `dabir watch --settle`",
    "The journal keeps it until it is explained: then `dabir watch --settle`",
)
SETTLED = ("{count} هشدار بسته شد", "alarms settled: {count}")
CAUGHT_UP = ("همهٔ گواهی‌ها تا این جایگاه خوانده شد", "all statements up to this position are read")
INTERRUPTED = ("ارتباط برید؛ تلاش دوباره پس از چند ثانیه", "interrupted; trying again in seconds")
READING = (
    "{mib} مبی‌بایت در دفترچه رونوشت و سپس امضا می‌شود؛ کمی زمان می‌برد",
    "{mib} MiB are copied into the journal, then signed; this takes a while",
)
TOO_LARGE_MAYBE = (
    "سامانه معمولاً سند بزرگ‌تر از ۲ گیبی‌بایت نمی‌پذیرد؛ اگر چنین است، آن را به چند سند تقسیم کنید",
    "A hub that is not set otherwise takes no document of more than 2 GiB: split it into several then",
)
ENDED = ("با Ctrl-C پایان یافت", "ended by Ctrl-C")
RUN_AGAIN = (
    "آنچه انجام شده است می‌ماند؛ همین فرمان را دوباره اجرا کنید تا ادامه یابد.",
    "What was done stays: run it again to go on.",
)
SEND_AGAIN = (
    "نامه امضا شده و نگاه داشته شده است: `dabir send --resume` همان را می‌فرستد. اگر از نو بنویسید، نامهٔ دومی می‌شود.",
    "The letter is signed and kept: `dabir send --resume` sends it. Typed again it would be a second letter.",
)
WAITING = (
    "{count} نامه امضا شده و در انتظار فرستادن است: `dabir send --resume` آن‌ها را می‌فرستد. از نو ننویسید.",
    "Letters signed and kept: {count}. `dabir send --resume` sends them. Typed again they would be second letters.",
)
SOME_REFUSED = ("برخی از نامه‌ها پذیرفته نشد.", "The hub refused some of the letters.")
CHAIN_BROKEN = (
    "زنجیره‌های این نامه کامل نیست: آنچه رسیده است را نگاه دارید و گزارش کنید.",
    "The chains of this letter do not hold: keep what came, report it.",
)
CHANGED_NOTHING = (
    "این درخواست چیزی را تغییر نداد: آنچه نخست اعلام شد می‌ماند.",
    "This changed nothing: what was decided first stands.",
)
HELD = (
    "نگه داشته شد: نامهٔ پیشین ({kind})، {letter}، هنوز رسید نشده است؛ نخست به آن رسید دهید",
    "held: the earlier letter ({kind}), {letter}, has not been taken in yet: accept it first",
)
HELD_NOT_COME = (
    "نگه داشته شد: نامهٔ پیشین ({kind})، {letter}، هنوز نرسیده است؛ منتظر آن بمانید یا از فرستنده بپرسید",
    "held: the earlier letter ({kind}), {letter}, has not come yet: wait for it, or ask the sender where it is",
)
HELD_SAVE = (
    "اگر با آگاهی از این می‌خواهید: `dabir save --although-held`",
    "To save it in the knowledge of this: `dabir save --although-held`",
)
RENAMED = (
    "نام سند {index} برای این دیسک بلند است؛ با این نام ذخیره شد",
    "The name of document {index} is too long for a disk; saved as",
)
LATE = ("گذشت", "late")
NO_DUE = ("بی مهلت؛ پاسخ خواسته شده است", "none; an answer is asked for")
NOT_VERIFIED = ("بررسی نشده", "not verified")
RECALL_ASKED = ("استرداد خواسته شده", "recall asked")
DECIDED_BEFORE = ("پیش‌تر، با رسید دیگری", "before, by another receipt")
WITHDRAWN_BEFORE = ("فرستنده‌اش آن را پس گرفته است", "recalled by its sender")
HEADINGS = {
    "name": ("شناسه", "name"),
    "number": ("شماره", "number"),
    "in_number": ("شمارهٔ وارده", "in number"),
    "date": ("تاریخ", "date"),
    "from": ("فرستنده", "from"),
    "subject": ("موضوع", "subject"),
    "state": ("وضعیت", "state"),
    "priority": ("فوریت", "priority"),
    "recipients": ("گیرندگان", "recipients"),
    "acceptance_due": ("مهلت پذیرش", "accept by"),
    "answer_due": ("مهلت پاسخ", "answer by"),
    "classification": ("طبقه‌بندی", "classification"),
    "signer": ("امضاکننده", "signed by"),
    "sender_number": ("شماره و تاریخ فرستنده", "sender's number and date"),
    "relation": ("نامهٔ مرتبط", "relation"),
    "abstract": ("چکیده", "abstract"),
    "note": ("یادداشت", "note"),
    "statement": ("گواهی", "statement"),
    "event": ("رویداد", "event"),
    "what": ("دربارهٔ", "about"),
    "title": ("نام", "title"),
    "documents": ("اسناد", "documents"),
    "reason": ("دلیل", "reason"),
    "recall": ("استرداد", "recall"),
}


def of(words: Mapping[V, tuple[str, str]], value: V) -> tuple[str, str]:
    """What is said of a value. One that only a newer hub knows is said as its number."""
    return words.get(value, (str(value), str(value)))


def choices(words: Mapping[V, tuple[str, str]]) -> dict[str, V]:
    """What a person types at the command line for each value: the English word."""
    return {english: value for value, (_, english) in words.items()}


_SENTENCES = (
    {receipt_pb2.ReturnReason.Name(value): f"«{said}»" for value, (said, _) in REASONS.items()}
    | {receipt_pb2.Verdict.Name(value): f"«{said}»" for value, (said, _) in VERDICTS.items()}
    | {
        letter_pb2.DeliveryState.Name(value).removeprefix("DELIVERY_STATE_"): f"«{said}»"
        for value, (said, _) in DELIVERY_STATES.items()
    }
)
"""Most of them have a verb of their own: «پس گرفته شد»."""
_NOUNS = {manifest_pb2.Classification.Name(value): said for value, (said, _) in CLASSIFICATIONS.items()}
_NOUNS |= {"acceptance": "پذیرش", "answer": "پاسخ"}
_PERSIAN_TEXT = re.compile("[\u0600-\u06ff]")
_WORD = re.compile(r"(?<![\w/.-])[A-Za-z_]+(?![\w/.-])")
_COUNT = re.compile(r"(?<![\w/.:\[+-])[0-9]+(?![\w/:-]|\.[0-9])")
"""A number that is no part of a name, an instant or a registry number."""


def in_persian(sentence: str) -> str:
    """A Persian sentence of the hub's with the values of the API that stand in it as words, and its numbers in Persian
    digits; another one as it is.
    """
    if _PERSIAN_TEXT.search(sentence) is None:
        return sentence
    sentence = _WORD.sub(lambda found: _SENTENCES.get(found[0]) or _NOUNS.get(found[0], found[0]), sentence)
    return _COUNT.sub(lambda found: persian.persian_digits(found[0]), sentence)
