"""Why documents refuses: one class per reason, a sentence of what is wrong and what to do."""

from services.runtime.errors import (
    Aborted,
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
)


class DocumentNotFound(NotFound):
    """No such document, or one of a letter that the caller may not see."""

    reason = "DOCUMENT_NOT_FOUND"
    template = "There is no document {document} of yours. Check its id, or show the acceptance that grants it."
    template_fa = "سند {document} در میان سندهای شما نیست. شناسه را بررسی کنید یا رسیدی را که آن را می‌گشاید بفرستید."


# Uploading.


class MediaTypeNotAllowed(InvalidArgument):
    """The media type declared is not one of `allowed_media_types`."""

    reason = "MEDIA_TYPE_NOT_ALLOWED"
    template = "Documents of type {media_type} are not taken here. Taken are: {allowed}."
    template_fa = "سند از نوع {media_type} پذیرفته نمی‌شود. نوع‌های پذیرفته: {allowed}."


class DocumentTooLarge(InvalidArgument):
    """More bytes are declared than `document_max_bytes`."""

    reason = "TOO_LARGE"
    template = "The document has {size_bytes} bytes; at most {max_bytes} are taken. Split it into several documents."
    template_fa = "سند {size_bytes} بایت است و حداکثر {max_bytes} بایت پذیرفته می‌شود. آن را به چند سند تقسیم کنید."


class DocumentIdReused(AlreadyExists):
    """The id stands for another body's document, for another content, or for one that is being swept."""

    reason = "DOCUMENT_ID_REUSED"
    template = "{document} stands for another content or upload. Draw a new UUIDv4 for this document."
    template_fa = "شناسهٔ {document} از آنِ سند دیگری است. برای این سند شناسهٔ تازه بگیرید."


class UploadOutOfOrder(InvalidArgument):
    """A message of the upload came where its kind may not."""

    reason = "UPLOAD_OUT_OF_ORDER"
    template = "An upload is one header, then chunks, then one finish; {found} came where it may not. Begin it again."
    template_fa = "ترتیب بارگذاری: سرآغاز، پاره‌ها، پایان؛ {found} نابجا آمد. از نو آغاز کنید."


class WrongOffset(InvalidArgument):
    """A chunk does not begin where the last one ended."""

    reason = "WRONG_OFFSET"
    template = "A chunk came with offset {given}; the next byte is {expected}. QueryUpload says where to go on."
    template_fa = "پاره‌ای با آغاز {given} آمد ولی بایت بعدی {expected} است. QueryUpload جای ادامه را می‌گوید."


class UploadTooLong(InvalidArgument):
    """More bytes came than were declared."""

    reason = "SIZE_MISMATCH"
    template = "More bytes came than the {size_bytes} the header gave. Upload under a new id with the right size."
    template_fa = "بیش از {size_bytes} بایت اعلام‌شده آمد. با شناسهٔ تازه و اندازهٔ درست بارگذاری کنید."


class FinishDiffers(InvalidArgument):
    """The finish contradicts the header."""

    reason = "FINISH_DIFFERS"
    template = "The finish gives another size or SHA-256 than the header. Send both as they are of the whole document."
    template_fa = "اندازه یا چکیدهٔ پایان با سرآغاز یکی نیست. هر دو را برای کل سند بفرستید."


class UploadIncomplete(FailedPrecondition):
    """The stream ended before the last byte, or without a finish."""

    reason = "UPLOAD_INCOMPLETE"
    template = "{received} of {size_bytes} bytes came, and no finish after the last. Resume from what QueryUpload says."
    template_fa = "{received} از {size_bytes} بایت آمد و پیام پایان نیامد. از جایی که QueryUpload می‌گوید ادامه دهید."


class UploadOvertaken(Aborted):
    """Another stream stored the same segment, or the sweep took the upload."""

    reason = "UPLOAD_OVERTAKEN"
    template = (
        "Another stream uploads {document} too and was faster. Ask QueryUpload and go on from there, with one stream."
    )
    template_fa = "جریان دیگری همین سند {document} را می‌فرستد. با QueryUpload بپرسید و تنها با یک جریان ادامه دهید."


class TransfersBusy(ResourceExhausted):
    """The process, or the caller's body, has as many transfers as it may."""

    reason = "TRANSFERS_BUSY"
    template = "All {places} places for uploads and downloads{whose} are taken. Try again in a few seconds."
    template_fa = "همهٔ {places} جای انتقال پر است. چند ثانیه دیگر دوباره بکوشید."


class TransferTooSlow(DeadlineExceeded):
    """The other end holds a place and sends or takes next to nothing."""

    reason = "TRANSFER_TOO_SLOW"
    template = (
        "This transfer is slower than {bytes_per_second} bytes per second. Go on with a new call: an upload from where "
        "QueryUpload says, a download from the first byte that you lack."
    )
    template_fa = (
        "این انتقال از {bytes_per_second} بایت در ثانیه کندتر است. با فراخوانی تازه ادامه دهید: بارگذاری از جایی که "
        "QueryUpload می‌گوید و دریافت از نخستین بایتی که ندارید."
    )


class InspectionsBusy(ResourceExhausted):
    """As many documents of the body as may wait for their inspection."""

    reason = "INSPECTIONS_BUSY"
    template = "{limit} documents of your body wait for their inspection, as many as may. Try again in a few seconds."
    template_fa = "{limit} سند دستگاه شما در نوبت بررسی است و بیش از این نمی‌شود. چند ثانیه دیگر دوباره بکوشید."


class InspectionInterrupted(Unavailable):
    """The inspecting process was killed, or there was no room for the copy it looks at."""

    reason = "INSPECTION_INTERRUPTED"
    template = "The inspection of {document} was interrupted; nothing is wrong with it so far. Ask again in a moment."
    template_fa = "بررسی سند {document} ناتمام ماند؛ ایرادی در آن دیده نشده است. اندکی بعد دوباره بپرسید."


# The object store.


class StoreUnavailable(Unavailable):
    """S3 did not do what was asked."""

    reason = "OBJECT_STORE_UNAVAILABLE"
    template = "The object store does not answer. Nothing acknowledged is lost; try again in a few seconds."
    template_fa = "انبار سندها پاسخ نمی‌دهد. چیزی از دست نرفته است؛ چند ثانیه دیگر دوباره بکوشید."


class SegmentDamaged(Unavailable):
    """S3 gave other bytes than were stored, or none."""

    reason = "SEGMENT_DAMAGED"
    template = (
        "Segment {number} of {document} came back from the object store with other bytes than were stored. Nothing of "
        "it was passed on; tell the hub's operator, who restores it from a copy."
    )
    template_fa = (
        "پارهٔ {number} سند {document} در انبار آسیب دیده است و چیزی از آن فرستاده نشد. به راهبر سامانه خبر دهید."
    )


# Downloading.


class DocumentNotReady(FailedPrecondition):
    """The document is being uploaded or inspected, or was rejected."""

    reason = "DOCUMENT_NOT_READY"
    template = "{document} is {state}; only what was uploaded whole and found sound can be downloaded."
    template_fa = "سند {document} در وضعیت {state} است؛ تنها سند کامل و سالم دریافت‌شدنی است."


class RangeOutside(InvalidArgument):
    """The range asked for goes beyond the document."""

    reason = "RANGE_OUTSIDE_DOCUMENT"
    template = "Bytes from {offset}, {length} of them, are not all within the document's {size_bytes}. Ask within them."
    template_fa = "بازهٔ خواسته‌شده از {offset} به طول {length} در {size_bytes} بایت سند نمی‌گنجد."


class AcceptanceInvalid(InvalidArgument):
    """What was shown is no ConsignmentAcceptance of this hub."""

    reason = "ACCEPTANCE_INVALID"
    template = (
        "The acceptance shown does not do: {detail}. Send the ConsignmentAcceptance exactly as AcceptDelivery gave it."
    )
    template_fa = "رسید نشان‌داده‌شده پذیرفته نیست: {detail}. ConsignmentAcceptance را همان‌گونه که گرفته‌اید بفرستید."


class AcceptanceNotYours(PermissionDenied):
    """The acceptance is another body's."""

    reason = "ACCEPTANCE_NOT_YOURS"
    template = (
        "The acceptance shown is another recipient's, and you call as {caller}. Show the one of your own delivery."
    )
    template_fa = "رسید نشان‌داده‌شده از آنِ گیرندهٔ دیگری است و شما {caller} هستید. رسید تحویل خود را بفرستید."


class DigestDiffers(InvalidArgument):
    """The recipient's copy is not what was sent."""

    reason = "DIGEST_MISMATCH"
    template = "{document} has another SHA-256 than you computed: your copy is not whole. Download it again."
    template_fa = "چکیدهٔ سند {document} با آنچه شما حساب کرده‌اید یکی نیست. دوباره دریافت کنید."


# Claims and retention.


class DocumentTwice(InvalidArgument):
    """A letter lists a document more than once."""

    reason = "DOCUMENT_TWICE"
    template = "{document} stands twice in the request. A letter carries a document once."


class ClaimNotHeld(FailedPrecondition):
    """The letter did not claim the document whose retention is asked for."""

    reason = "CLAIM_NOT_HELD"
    template = "{letter} holds no claim on {document}. Claim the letter's documents first."


class RetentionOutOfRange(InvalidArgument):
    """The lock asked for lies in the past or too far ahead."""

    reason = "RETENTION_OUT_OF_RANGE"
    template = (
        "retain_until is {retain_until}: it must lie ahead, at most {max_days} days. A lock in compliance mode can "
        "never be taken back."
    )


class RetentionNotKept(FailedPrecondition):
    """S3 took the lock and does not show it."""

    reason = "RETENTION_NOT_KEPT"
    template = (
        "The object store answered, but {document} is not under object lock as asked. It is no store to keep letters "
        "in: check it with `make doctor`."
    )
