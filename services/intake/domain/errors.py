"""Why intake refuses: one class per reason, a sentence of what is wrong and what to do.

Refusals of a signature or its certificate stand in `signature_errors`, of a receipt or a recall in `receipt_errors`.
"""

from services.runtime.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)


class LetterNotFound(NotFound):
    """No such letter, or not one that the caller's body sent and is cleared for."""

    reason = "LETTER_NOT_FOUND"
    template = "There is no letter {letter} of yours. Check its name; ListLetters names yours."
    template_fa = "نامهٔ {letter} در میان نامه‌های شما نیست. نام آن را بررسی کنید."


class DeliveryNotFound(NotFound):
    """No such delivery, or none that came to the caller's body, or one beyond its clearance."""

    reason = "DELIVERY_NOT_FOUND"
    template = "There is no delivery {delivery} of yours. Check its name; ListDeliveries names those that came to you."
    template_fa = "تحویل {delivery} در میان تحویل‌های شما نیست. نام آن را بررسی کنید."


class DefinitionNotFound(NotFound):
    """Offered under this name by no process of this hub, now or before."""

    reason = "DEFINITION_NOT_FOUND"
    template = "There is no definition {definition} here. Check its type and version."
    template_fa = "تعریف {definition} وجود ندارد. نوع و نگارش آن را بررسی کنید."


class DefinitionWithdrawn(FailedPrecondition):
    """Offered before, but in no definition folder of this process now. Only new letters are refused for it."""

    reason = "DEFINITION_WITHDRAWN"
    template = "{definition} is no longer offered for new letters. Write it by a newer version and sign again."
    template_fa = "{definition} دیگر برای نامهٔ تازه به کار نمی‌رود. نامه را با نگارش تازه‌تر بنویسید و دوباره امضا کنید."


# The manifest against the caller and the hub.


class SenderNotCaller(PermissionDenied):
    """A manifest of another body than the caller's."""

    reason = "SENDER_NOT_CALLER"
    template = "The manifest's sender is {sender}, but you call as {caller}. Send letters of your own body only."
    template_fa = "فرستندهٔ شناسنامه {sender} است ولی شما {caller} هستید. تنها نامهٔ دستگاه خود را بفرستید."


class WrongHub(InvalidArgument):
    """A manifest, receipt or recall that names another hub."""

    reason = "WRONG_HUB"
    template = "This is signed for the hub {given}; here is {hub}. Write this hub's name and sign again."
    template_fa = "این برای {given} امضا شده است؛ اینجا {hub} است. نام درست را بنویسید و دوباره امضا کنید."


class WrittenAtOutOfRange(InvalidArgument):
    """A manifest whose instant is too far from the hub's, before or after."""

    reason = "WRITTEN_AT_OUT_OF_RANGE"
    template = (
        "writtenAt is {written_at}; it is {now} here, and at most {hours} hours apart are allowed. "
        "Set the clock right, write the letter's time anew and sign it again."
    )
    template_fa = (
        "زمان نگارش {written_at} بیش از {hours} ساعت با {now} فاصله دارد. ساعت را درست کنید و دوباره امضا کنید."
    )


class LetterIdReused(AlreadyExists):
    """The letter's id is registered, and this request differs from the one that registered it."""

    reason = "LETTER_ID_REUSED"
    template = (
        "{letter} is registered with other bytes. To repeat a request send exactly the same manifest, signatures and "
        "documents; for another letter draw a new letterUuid and sign again."
    )
    template_fa = "شناسهٔ {letter} پیش‌تر با محتوای دیگری ثبت شده است. برای نامهٔ دیگر شناسهٔ تازه بگیرید."


class SignatureCountWrong(InvalidArgument):
    """More or fewer signature files than the manifest has signers."""

    reason = "SIGNATURE_COUNT_WRONG"
    template = "{given} signatures for {signers} signers. Send one signature per signer, in their order."
    template_fa = "{given} امضا برای {signers} امضاکننده آمده است. برای هر امضاکننده به ترتیب یک امضا بفرستید."


class DocumentCountWrong(InvalidArgument):
    """More or fewer uploads named than the manifest has documents."""

    reason = "DOCUMENT_COUNT_WRONG"
    template = "{given} documents named for {documents} in the manifest. Name each one, in index order."
    template_fa = "{given} سند برای {documents} سند شناسنامه آمده است. همه را به ترتیب نام ببرید."


# The manifest against its definition.


class SenderNotPermitted(PermissionDenied):
    """The definition lists who may send by it, and the sender is not among them."""

    reason = "SENDER_NOT_PERMITTED"
    template = "{sender} may not send letters by {definition}. GetDefinition names who may."
    template_fa = "{sender} نمی‌تواند نامه از نوع {definition} بفرستد."


class TooFewSigners(InvalidArgument):
    """Below the definition's `min_signers`."""

    reason = "TOO_FEW_SIGNERS"
    template = "{given} signers; {definition} demands {demanded}. Have the others sign and send all together."
    template_fa = "{given} امضا آمده است؛ {definition} به {demanded} امضا نیاز دارد."


class SignerMissing(InvalidArgument):
    """One of the definition's `required_positions` does not sign."""

    reason = "SIGNER_MISSING"
    template = "{definition} demands a signer that is missing: {position}. Have that position sign too."
    template_fa = "{definition} امضای {position} را لازم دارد که نیامده است."


class TooManyRecipients(InvalidArgument):
    """Beyond the definition's `max_recipients`."""

    reason = "TOO_MANY_RECIPIENTS"
    template = "{given} recipients; {definition} allows {allowed}. Send it in several letters."
    template_fa = "{given} گیرنده آمده است؛ {definition} بیش از {allowed} گیرنده ندارد."


class ClassificationNotPermitted(InvalidArgument):
    """Not among the definition's `classifications`."""

    reason = "CLASSIFICATION_NOT_PERMITTED"
    template = "{definition} does not allow {classification}. GetDefinition names what it allows."
    template_fa = "طبقه‌بندی {classification} برای {definition} پذیرفته نیست."


class ClearanceMissing(PermissionDenied):
    """A letter more secret than the caller's own certificate permits."""

    reason = "CLEARANCE_MISSING"
    template = "Your certificate has no clearance for {classification}. Call with one that has it."
    template_fa = "گواهی شما اجازهٔ {classification} ندارد. با گواهی دارای اجازه درخواست کنید."


class RetentionScheduleUnknown(InvalidArgument):
    """The manifest states a schedule that is not the definition's."""

    reason = "RETENTION_SCHEDULE_UNKNOWN"
    template = "{definition} keeps letters by {offered}, not by {given}. Write that, or leave retentionSchedule out."
    template_fa = "{definition} با برنامهٔ نگهداری {offered} است نه {given}."


class ClockNotOffered(InvalidArgument):
    """A due or a recipient's flag for a clock that the definition lacks."""

    reason = "CLOCK_NOT_OFFERED"
    template = "{definition} has no clock for {clock}. Leave {clock}Needed and {clock}Due out."
    template_fa = "{definition} برای {clock} مهلتی ندارد."


class DueWithoutRecipient(InvalidArgument):
    """A due that would bind nobody."""

    reason = "DUE_WITHOUT_RECIPIENT"
    template = (
        "{clock}Due is given, but no recipient has {clock}Needed. Set the flag of those it binds or leave it out."
    )
    template_fa = "مهلت {clock} آمده است ولی برای هیچ گیرنده‌ای لازم نشده است."


class DueOutOfRange(InvalidArgument):
    """A due nearer or further than the definition's clock permits, counted from registration."""

    reason = "DUE_OUT_OF_RANGE"
    template = (
        "{clock}Due is {due}; {definition} allows {min_seconds} to {max_seconds} seconds after registration. "
        "Choose a due within, or leave it out for the definition's own."
    )
    template_fa = "مهلت {clock} برابر {due} است و باید میان {min_seconds} و {max_seconds} ثانیه پس از ثبت باشد."


# What the manifest names: offices, other letters, documents.


class SenderOfficeUnknown(NotFound):
    """Directory does not know the sending office."""

    reason = "SENDER_OFFICE_UNKNOWN"
    template = "Your body has no office {office}. ListOffices names its offices."
    template_fa = "دستگاه شما دبیرخانهٔ {office} ندارد."


class RecipientUnknown(NotFound):
    """Directory does not know an office that the manifest sends to; each is a field violation."""

    reason = "RECIPIENT_UNKNOWN"
    template = "{count} recipients do not exist, the first is {first}. ListOffices names the offices there are."
    template_fa = "{count} گیرنده وجود ندارد، نخستین آن {first} است."


class RelatedLetterNotFound(NotFound):
    """No such letter, or none that the caller's body may name in a relation."""

    reason = "RELATED_LETTER_NOT_FOUND"
    template = "A relation names {letter}, which is no letter that your body sent or got. Check its name."
    template_fa = "نامهٔ {letter} که به آن اشاره شده است در میان نامه‌های شما نیست."


class ReplyingOfficeNotRecipient(FailedPrecondition):
    """A reply from an office to which the letter did not come."""

    reason = "REPLYING_OFFICE_NOT_RECIPIENT"
    template = "{office} did not get {letter}, so it cannot reply to it. Let the office reply that got it."
    template_fa = "{letter} به {office} نرسیده است؛ دبیرخانه‌ای که آن را گرفته باید پاسخ دهد."


class ReplyNotAddressedToSender(FailedPrecondition):
    """A reply that leaves out the office which sent the letter."""

    reason = "REPLY_NOT_ADDRESSED_TO_SENDER"
    template = "A reply to {letter} must go to {office}, which sent it. Add that recipient and sign again."
    template_fa = "پاسخ {letter} باید به فرستندهٔ آن {office} نیز برود."


class AcceptFirst(FailedPrecondition):
    """A reply to a delivery that is still AVAILABLE."""

    reason = "ACCEPT_FIRST"
    template = "{delivery} is not accepted yet. Accept it with a receipt, then reply."
    template_fa = "{delivery} هنوز رسید نشده است. نخست رسید دهید، سپس پاسخ بفرستید."


class ReplyTooLate(FailedPrecondition):
    """A reply to a delivery that ended otherwise: refused, returned or withdrawn."""

    reason = "REPLY_TOO_LATE"
    template = "{delivery} is {state}: it can no longer be answered. Refer to it with RELATION_KIND_CITES."
    template_fa = "{delivery} در وضعیت {state} است و دیگر نمی‌توان به آن پاسخ داد."


class DocumentRefused(FailedPrecondition):
    """A document that cannot be claimed. The subclass says which of documents' reasons it is."""

    template = "{count} documents of the letter do not do; the first is {document}. See what is said of each."
    template_fa = "{count} سند نامه پذیرفته نیست؛ نخستین آن {document} است."


class DocumentNotFound(DocumentRefused):
    """No such document, or not the sender's."""

    reason = "DOCUMENT_NOT_FOUND"


class DocumentNotReady(DocumentRefused):
    """Its upload or its inspection is not over."""

    reason = "DOCUMENT_NOT_READY"


class DocumentRejected(DocumentRefused):
    """Its inspection rejected it."""

    reason = "DOCUMENT_REJECTED"


class DocumentDigestMismatch(DocumentRefused):
    """The manifest's digest is not that of the bytes uploaded."""

    reason = "DIGEST_MISMATCH"


class DocumentSizeMismatch(DocumentRefused):
    """The manifest's size is not that of the bytes uploaded."""

    reason = "SIZE_MISMATCH"


class DocumentMediaTypeMismatch(DocumentRefused):
    """The manifest's media type is not that of the upload."""

    reason = "MEDIA_TYPE_MISMATCH"


class DocumentClaimed(DocumentRefused):
    """It belongs to another letter."""

    reason = "DOCUMENT_CLAIMED"


# The hub's own calls.


class NotLateYet(FailedPrecondition):
    """FlagLate before the due; `retry_after_seconds` is what is left until then."""

    reason = "NOT_LATE_YET"
    template = "The {clock} clock of {delivery} runs until {due}. Ask again after it."


class NoSuchClock(FailedPrecondition):
    """FlagLate for a clock that does not run for the delivery."""

    reason = "NO_SUCH_CLOCK"
    template = "{delivery} has no {clock} clock, so it is never late."


class DeliveryOfAnotherLetter(InvalidArgument):
    """A call about one letter names a delivery that is not its own."""

    reason = "DELIVERY_OF_ANOTHER_LETTER"
    template = "{delivery} is no delivery of {letter}. Name deliveries of one letter."


class BodyNotFound(NotFound):
    """An operator's action on a body that directory does not know."""

    reason = "BODY_NOT_FOUND"
    template = "There is no body {body}. ListBodies names those that have joined."


class OfficeVanished(FailedPrecondition):
    """An office known at the letter's registration is unknown at its consignment."""

    reason = "OFFICE_VANISHED"
    template = "Directory no longer knows {office}, to which this letter goes. Restore it in directory."


class SubjectNotRecordable(InvalidArgument):
    """An operator's action on a book."""

    reason = "SUBJECT_NOT_RECORDABLE"
    template = "{subject} is no letter, delivery or body. Name what the operator acted on."


class ActionNotACode(InvalidArgument):
    """What statements cannot carry as the name of an operator's action."""

    reason = "ACTION_NOT_A_CODE"
    template = "The action must be a word such as retry_now: letters, digits and underscores."


class RequestIdReused(AlreadyExists):
    """The request id of a reading or of an operator's action came with another request before."""

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
