"""Why intake refuses: one class per reason, a sentence of what is wrong and what to do.

Refusals of a signature or its certificate stand in `signature_errors`, of a receipt or a recall in `receipt_errors`.
"""

from services.runtime.errors import (
    AlreadyExists,
    DabirError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)


class LetterNotFound(NotFound):
    reason = "LETTER_NOT_FOUND"
    template = "There is no letter {letter} of yours. Check its name; ListLetters names yours."
    template_fa = "نامهٔ {letter} در میان نامه‌های شما نیست. نام آن را بررسی کنید."


class DeliveryNotFound(NotFound):
    reason = "DELIVERY_NOT_FOUND"
    template = "There is no delivery {delivery} of yours. Check its name; ListDeliveries names those that came to you."
    template_fa = "تحویل {delivery} در میان تحویل‌های شما نیست. نام آن را بررسی کنید."


class DefinitionNotFound(NotFound):
    reason = "DEFINITION_NOT_FOUND"
    template = "There is no definition {definition} here. Check its type and version."
    template_fa = "تعریف {definition} وجود ندارد. نوع و نگارش آن را بررسی کنید."


class DefinitionWithdrawn(FailedPrecondition):
    reason = "DEFINITION_WITHDRAWN"
    template = "{definition} is no longer offered for new letters. Write it by a newer version and sign again."
    template_fa = "{definition} دیگر برای نامهٔ تازه به کار نمی‌رود. نامه را با نگارش تازه‌تر بنویسید و دوباره امضا کنید."


# The manifest against the caller and the hub.


class SenderNotCaller(PermissionDenied):
    reason = "SENDER_NOT_CALLER"
    template = "The manifest's sender is {sender}, but you call as {caller}. Send letters of your own body only."
    template_fa = "فرستندهٔ شناسنامه {sender} است ولی شما {caller} هستید. تنها نامهٔ دستگاه خود را بفرستید."


class WrongHub(InvalidArgument):
    reason = "WRONG_HUB"
    template = "This is signed for the hub {given}; here is {hub}. Write this hub's name and sign again."
    template_fa = "این برای {given} امضا شده است؛ اینجا {hub} است. نام درست را بنویسید و دوباره امضا کنید."


class WrittenAtOutOfRange(InvalidArgument):
    reason = "WRITTEN_AT_OUT_OF_RANGE"
    template = (
        "writtenAt is {written_at}; it is {now} here, and at most {hours} hours apart are allowed. "
        "Set the clock right, write the letter's time anew and sign it again."
    )
    template_fa = (
        "زمان نگارش {written_at} بیش از {hours} ساعت با {now} فاصله دارد. ساعت را درست کنید و دوباره امضا کنید."
    )


class LetterIdReused(AlreadyExists):
    reason = "LETTER_ID_REUSED"
    template = (
        "{letter} is registered with other bytes. To repeat a request send exactly the same manifest, signatures and "
        "documents; for another letter draw a new letterUuid and sign again."
    )
    template_fa = "شناسهٔ {letter} پیش‌تر با محتوای دیگری ثبت شده است. برای نامهٔ دیگر شناسهٔ تازه بگیرید."


class SignatureCountWrong(InvalidArgument):
    reason = "SIGNATURE_COUNT_WRONG"
    template = "{given} signatures for {signers} signers. Send one signature per signer, in their order."
    template_fa = "{given} امضا برای {signers} امضاکننده آمده است. برای هر امضاکننده به ترتیب یک امضا بفرستید."


class DocumentCountWrong(InvalidArgument):
    reason = "DOCUMENT_COUNT_WRONG"
    template = "{given} documents named for {documents} in the manifest. Name each one, in index order."
    template_fa = "{given} سند برای {documents} سند شناسنامه آمده است. همه را به ترتیب نام ببرید."


# The manifest against its definition.


class SenderNotPermitted(PermissionDenied):
    reason = "SENDER_NOT_PERMITTED"
    template = "{sender} may not send letters by {definition}. GetDefinition names who may."
    template_fa = "{sender} نمی‌تواند نامه از نوع {definition} بفرستد."


class TooFewSigners(InvalidArgument):
    reason = "TOO_FEW_SIGNERS"
    template = "{given} signers; {definition} demands {demanded}. Have the others sign and send all together."
    template_fa = "{given} امضا آمده است؛ {definition} به {demanded} امضا نیاز دارد."


class SignerMissing(InvalidArgument):
    reason = "SIGNER_MISSING"
    template = "{definition} demands a signer that is missing: {position}. Have that position sign too."
    template_fa = "{definition} امضای {position} را لازم دارد که نیامده است."


class TooManyRecipients(InvalidArgument):
    reason = "TOO_MANY_RECIPIENTS"
    template = "{given} recipients; {definition} allows {allowed}. Send it in several letters."
    template_fa = "{given} گیرنده آمده است؛ {definition} بیش از {allowed} گیرنده ندارد."


class ClassificationNotPermitted(InvalidArgument):
    reason = "CLASSIFICATION_NOT_PERMITTED"
    template = "{definition} does not allow {classification}. GetDefinition names what it allows."
    template_fa = "طبقه‌بندی {classification} برای {definition} پذیرفته نیست."


class ClearanceMissing(PermissionDenied):
    reason = "CLEARANCE_MISSING"
    template = "Your certificate has no clearance for {classification}. Call with one that has it."
    template_fa = "گواهی شما اجازهٔ {classification} ندارد. با گواهی دارای اجازه درخواست کنید."


class RetentionScheduleUnknown(InvalidArgument):
    reason = "RETENTION_SCHEDULE_UNKNOWN"
    template = "{definition} keeps letters by {offered}, not by {given}. Write that, or leave retentionSchedule out."
    template_fa = "{definition} با برنامهٔ نگهداری {offered} است نه {given}."


class ClockNotOffered(InvalidArgument):
    reason = "CLOCK_NOT_OFFERED"
    template = "{definition} has no clock for {clock}. Leave {clock}Needed and {clock}Due out."
    template_fa = "{definition} برای {clock} مهلتی ندارد."


class DueWithoutRecipient(InvalidArgument):
    reason = "DUE_WITHOUT_RECIPIENT"
    template = (
        "{clock}Due is given, but no recipient has {clock}Needed. Set the flag of those it binds or leave it out."
    )
    template_fa = "مهلت {clock} آمده است ولی برای هیچ گیرنده‌ای لازم نشده است."


class DueOutOfRange(InvalidArgument):
    reason = "DUE_OUT_OF_RANGE"
    template = (
        "{clock}Due is {due}; {definition} allows {min_seconds} to {max_seconds} seconds after registration. "
        "Choose a due within, or leave it out for the definition's own."
    )
    template_fa = "مهلت {clock} برابر {due} است و باید میان {min_seconds} و {max_seconds} ثانیه پس از ثبت باشد."


# What the manifest names: offices, other letters, documents.


class SenderOfficeUnknown(NotFound):
    reason = "SENDER_OFFICE_UNKNOWN"
    template = "Your body has no office {office}. ListOffices names its offices."
    template_fa = "دستگاه شما دبیرخانهٔ {office} ندارد."


class RecipientUnknown(NotFound):
    reason = "RECIPIENT_UNKNOWN"
    template = "{count} recipients do not exist, the first is {first}. ListOffices names the offices there are."
    template_fa = "{count} گیرنده وجود ندارد، نخستین آن {first} است."


class RelatedLetterNotFound(NotFound):
    reason = "RELATED_LETTER_NOT_FOUND"
    template = "A relation names {letter}, which is no letter that your body sent or got. Check its name."
    template_fa = "نامهٔ {letter} که به آن اشاره شده است در میان نامه‌های شما نیست."


class ReplyingOfficeNotRecipient(FailedPrecondition):
    reason = "REPLYING_OFFICE_NOT_RECIPIENT"
    template = "{office} did not get {letter}, so it cannot reply to it. Let the office reply that got it."
    template_fa = "{letter} به {office} نرسیده است؛ دبیرخانه‌ای که آن را گرفته باید پاسخ دهد."


class ReplyNotAddressedToSender(FailedPrecondition):
    reason = "REPLY_NOT_ADDRESSED_TO_SENDER"
    template = "A reply to {letter} must go to {office}, which sent it. Add that recipient and sign again."
    template_fa = "پاسخ {letter} باید به فرستندهٔ آن {office} نیز برود."


class AcceptFirst(FailedPrecondition):
    reason = "ACCEPT_FIRST"
    template = "{delivery} is not accepted yet. Accept it with a receipt, then reply."
    template_fa = "{delivery} هنوز رسید نشده است. نخست رسید دهید، سپس پاسخ بفرستید."


class ReplyTooLate(FailedPrecondition):
    reason = "REPLY_TOO_LATE"
    template = "{delivery} is {state}: it can no longer be answered. Refer to it with RELATION_KIND_CITES."
    template_fa = "{delivery} در وضعیت {state} است و دیگر نمی‌توان به آن پاسخ داد."


class DocumentRefused(FailedPrecondition):
    """A document that cannot be claimed. The subclass says which of documents' reasons it is."""

    template = "{count} documents of the letter do not do; the first is {document}. See what is said of each."
    template_fa = "{count} سند نامه پذیرفته نیست؛ نخستین آن {document} است."


class DocumentNotFound(DocumentRefused):
    reason = "DOCUMENT_NOT_FOUND"


class DocumentNotReady(DocumentRefused):
    reason = "DOCUMENT_NOT_READY"


class DocumentRejected(DocumentRefused):
    reason = "DOCUMENT_REJECTED"


class DocumentDigestMismatch(DocumentRefused):
    reason = "DIGEST_MISMATCH"


class DocumentSizeMismatch(DocumentRefused):
    reason = "SIZE_MISMATCH"


class DocumentMediaTypeMismatch(DocumentRefused):
    reason = "MEDIA_TYPE_MISMATCH"


class DocumentClaimed(DocumentRefused):
    reason = "DOCUMENT_CLAIMED"


# The hub's own calls.


class NotLateYet(FailedPrecondition):
    reason = "NOT_LATE_YET"
    template = "The {clock} clock of {delivery} runs until {due}. Ask again after it."


class NoSuchClock(FailedPrecondition):
    reason = "NO_SUCH_CLOCK"
    template = "{delivery} has no {clock} clock, so it is never late."


class DeliveryOfAnotherLetter(InvalidArgument):
    reason = "DELIVERY_OF_ANOTHER_LETTER"
    template = "{delivery} is no delivery of {letter}. Name deliveries of one letter."


class BodyNotFound(NotFound):
    reason = "BODY_NOT_FOUND"
    template = "There is no body {body}. ListBodies names those that have joined."


class OfficeVanished(FailedPrecondition):
    reason = "OFFICE_VANISHED"
    template = "Directory no longer knows {office}, to which this letter goes. Restore it in directory."


class SubjectNotRecordable(InvalidArgument):
    reason = "SUBJECT_NOT_RECORDABLE"
    template = "{subject} is no letter, delivery or body. Name what the operator acted on."


class ActionNotACode(InvalidArgument):
    reason = "ACTION_NOT_A_CODE"
    template = "The action must be a word such as retry_now: letters, digits and underscores."


class RequestIdReused(AlreadyExists):
    reason = "REQUEST_ID_REUSED"
    template = "{request_id} stands for another action. Draw a new one for each action."


DOCUMENT_REFUSALS: dict[str, type[DocumentRefused]] = {
    refusal.reason: refusal
    for refusal in (
        DocumentNotFound,
        DocumentNotReady,
        DocumentRejected,
        DocumentDigestMismatch,
        DocumentSizeMismatch,
        DocumentMediaTypeMismatch,
        DocumentClaimed,
    )
}
"""documents' reasons → our exception."""

__all__ = [name for name, value in globals().items() if isinstance(value, type) and issubclass(value, DabirError)]
