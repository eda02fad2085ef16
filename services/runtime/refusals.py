"""What the gate refuses a call with, whatever the service."""

from services.runtime.errors import DeadlineExceeded, InvalidArgument, PermissionDenied, ResourceExhausted


class RoleMissing(PermissionDenied):
    """The caller is known and none of its roles may do this."""

    reason = "ROLE_MISSING"
    template = "{rpc} needs one of: {needed}. Call with a certificate that has it."
    template_fa = "این کار یکی از این نقش‌ها را می‌خواهد: {needed}. با گواهی‌ای که آن را دارد فراخوانی کنید."


class DeadlineRequired(InvalidArgument):
    """What changes something must say how long its caller waits."""

    reason = "DEADLINE_REQUIRED"
    template = "{rpc} changes something: set a deadline on the call, e.g. 30 seconds."
    template_fa = "این فراخوانی چیزی را تغییر می‌دهد؛ برای آن مهلت (deadline) تعیین کنید، مثلاً ۳۰ ثانیه."


class DeadlineTooShort(DeadlineExceeded):
    """Refused before any work is done."""

    reason = "DEADLINE_TOO_SHORT"
    template = "{rpc} cannot be done in the time left. Nothing was done; give it at least {needed_seconds} seconds."
    template_fa = "مهلت باقی‌مانده کافی نیست و کاری انجام نشد. دست‌کم {needed_seconds} ثانیه مهلت بدهید."


class RequestInvalid(InvalidArgument):
    """Fields break the rules that stand beside them in the proto."""

    reason = "REQUEST_INVALID"
    template = "The request breaks the rules of its fields: {fields}. The proto's comments say what each may hold."
    template_fa = "این بخش‌های درخواست درست نیست: {fields}."


class RequestMalformed(InvalidArgument):
    """Not the bytes of the message this RPC takes."""

    reason = "REQUEST_MALFORMED"
    template = "The request is not a {message}. Generate the stubs from the hub's protos."
    template_fa = "قالب درخواست درست نیست. کدها را از پروتوهای سامانه بسازید."


class RequestLate(DeadlineExceeded):
    """The request's message did not come, or not to its end."""

    reason = "REQUEST_LATE"
    template = "The request of {rpc} was not there in {idle_seconds} seconds. Nothing was done; send it at once."
    template_fa = "درخواست تا {idle_seconds} ثانیه کامل نرسید و کاری انجام نشد. آن را یکجا بفرستید."


class RequestMissing(InvalidArgument):
    """The client ended its side without a message."""

    reason = "REQUEST_MISSING"
    template = "{rpc} takes one request and none was sent. Generate the stubs from the hub's protos."
    template_fa = "درخواستی فرستاده نشد. کدها را از پروتوهای سامانه بسازید."


class RequestRepeated(InvalidArgument):
    """More than one message where the RPC takes one."""

    reason = "REQUEST_REPEATED"
    template = "{rpc} takes one request and more were sent. Generate the stubs from the hub's protos."
    template_fa = "این فراخوانی تنها یک درخواست می‌پذیرد. کدها را از پروتوهای سامانه بسازید."


class Overloaded(ResourceExhausted):
    """More calls in work than `max_concurrent_rpcs`, or of strangers than `max_unlisted_streams`."""

    reason = "OVERLOADED"
    template = "The hub has more to do than it can at this moment. Send the same request again a little later."
    template_fa = "سامانه در این لحظه پرکار است. همین درخواست را اندکی بعد دوباره بفرستید."


class CallsOfBody(ResourceExhausted):
    """One body has enough calls in work here."""

    reason = "CALLS_OF_BODY"
    template = "Your body has {limit} calls in work here, as many as it may. Send this one again when one has ended."
    template_fa = "دستگاه شما {limit} فراخوانیِ باز دارد و بیش از این نمی‌شود. پس از پایان یکی، این را باز بفرستید."


class StreamIdle(DeadlineExceeded):
    """The other end neither sent nor took anything for too long."""

    reason = "STREAM_IDLE"
    template = "Nothing moved on this stream for {idle_seconds} seconds. Go on from where it stopped with a new call."
    template_fa = "این جریان {idle_seconds} ثانیه بی‌حرکت ماند. با فراخوانی تازه از همان جا ادامه دهید."
