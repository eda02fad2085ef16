"""Why a receipt or a recall is refused: one class per reason, a sentence of what is wrong and what to do."""

from services.runtime.errors import AlreadyExists, FailedPrecondition, InvalidArgument

# A receipt.


class VerdictWrong(InvalidArgument):
    """A receipt sent by the call of another verdict."""

    reason = "VERDICT_WRONG"
    template = "The receipt says {given}, this call takes {wanted}. Use the call that goes with the receipt."
    template_fa = "رسید {given} می‌گوید ولی این درخواست {wanted} می‌خواهد."


class ReceiptMismatch(InvalidArgument):
    """A receipt that names other facts than those of its delivery, letter or recall."""

    reason = "RECEIPT_MISMATCH"
    template = "The receipt's {field} is not that of {delivery}. Take it from the envelope and sign again."
    template_fa = "{field} رسید با {delivery} نمی‌خواند. آن را از پاکت بردارید و دوباره امضا کنید."


class RefusalReasonNotPermitted(InvalidArgument):
    """Not among the definition's `refusal_reasons`."""

    reason = "REFUSAL_REASON_NOT_PERMITTED"
    template = "{definition} does not permit a refusal with {given}. GetDefinition names the reasons it permits."
    template_fa = "{definition} رد نامه به دلیل {given} را نمی‌پذیرد."


class ReturnReasonNotPermitted(InvalidArgument):
    """Not among the definition's `return_reasons`."""

    reason = "RETURN_REASON_NOT_PERMITTED"
    template = "{definition} does not permit a return with {given}. GetDefinition names the reasons it permits."
    template_fa = "{definition} عودت نامه به دلیل {given} را نمی‌پذیرد."


class ReturnedDocumentWrong(InvalidArgument):
    """A return that names a document its recipient was never given, or not as it was given."""

    reason = "RETURNED_DOCUMENT_WRONG"
    template = (
        "The receipt names document {index} of {delivery} with another digest than the manifest's, or it was not "
        "granted. Name what was downloaded, with the manifest's digests."
    )
    template_fa = (
        "سند {index} رسید با سندهای داده‌شدهٔ {delivery} نمی‌خواند. آنچه دریافت شده را با چکیدهٔ شناسنامه بنویسید."
    )


class NotAccepted(FailedPrecondition):
    """A return, an answer to a recall or a reading of what was not accepted."""

    reason = "NOT_ACCEPTED"
    template = (
        "{delivery} is {state} and was never accepted, so its content is not open. While it is AVAILABLE, accept it "
        "with a receipt first; to send it back unread, refuse it."
    )
    template_fa = "{delivery} رسید نشده است. نخست رسید دهید؛ برای بازگرداندن ناخوانده آن را رد کنید."


class ReturnWindowOver(FailedPrecondition):
    """A return at or after the delivery's `return_until`."""

    reason = "RETURN_WINDOW_OVER"
    template = "{delivery} could be returned until {until}. Answer it instead, or write to its sender."
    template_fa = "مهلت عودت {delivery} تا {until} بود. به جای آن پاسخ دهید یا به فرستنده بنویسید."


# A recall.


class RecallMismatch(InvalidArgument):
    """A recall that names another letter than its call, or another manifest."""

    reason = "RECALL_MISMATCH"
    template = "The recall's {field} is not that of {letter}. Take it from the letter and sign again."
    template_fa = "{field} درخواست استرداد با {letter} نمی‌خواند. آن را از نامه بردارید و دوباره امضا کنید."


class LetterClosed(FailedPrecondition):
    """A recall of a letter whose chain ended with Closed."""

    reason = "LETTER_CLOSED"
    template = "{letter} is closed: it can no longer be recalled. Send a letter that corrects, replaces or revokes it."
    template_fa = "{letter} بسته شده است و دیگر استرداد نمی‌شود. نامهٔ اصلاحیه، جایگزین یا لغو بفرستید."


class DeliveryRecalled(AlreadyExists):
    """A second recall of the same delivery."""

    reason = "DELIVERY_RECALLED"
    template = "An earlier recall names {delivery}. A delivery is recalled once: name the others, or leave it there."
    template_fa = "استرداد {delivery} پیش‌تر درخواست شده است. هر تحویل یک بار استرداد می‌شود؛ تنها دیگران را نام ببرید."


class TooManyRecalls(FailedPrecondition):
    """A further recall of a letter that has `RECALLS_MAX`."""

    reason = "TOO_MANY_RECALLS"
    template = "{letter} has {allowed} recalls, as many as a letter may have. Write to the recipients instead."
    template_fa = "برای {letter} پیش‌تر {allowed} استرداد درخواست شده و بیش از آن ممکن نیست."


class TooManyReadings(FailedPrecondition):
    """A reading of a delivery whose chain has `READ_UP_TO` statements."""

    reason = "TOO_MANY_READINGS"
    template = "{delivery} has {allowed} statements, and no further reading is. Keep a list of readers of your own."
    template_fa = "برای {delivery} پیش‌تر {allowed} گواهی ثبت شده و رؤیت دیگری ثبت نمی‌شود."


class NoRecall(FailedPrecondition):
    """An answer to a recall, or the order to apply one, where the delivery has none."""

    reason = "NO_RECALL"
    template = "No recall names {delivery}. There is nothing to answer or to apply."
    template_fa = "استرداد {delivery} درخواست نشده است."
