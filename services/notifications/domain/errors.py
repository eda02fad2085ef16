"""What notifications refuses, one class per reason."""

from services.runtime.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted


class UrlNotAllowed(InvalidArgument):
    """Not a URL that webhooks can go to."""

    reason = "URL_NOT_ALLOWED"
    template = "The endpoint's url cannot be used: {why}. Give an https:// URL of a machine on the Internet."
    template_fa = "نشانی مقصد پذیرفته نیست. نشانی https:// یک کارساز در اینترنت را بدهید."


class EmailNotAllowed(InvalidArgument):
    """Not an address that e-mail can go to."""

    reason = "EMAIL_NOT_ALLOWED"
    template = "The endpoint's email.address is not one: give name@host.example, in ASCII, at most 254 characters."
    template_fa = "نشانی رایانامه پذیرفته نیست. نشانی‌ای مانند name@host.example بدهید."


class EmailNotOffered(FailedPrecondition):
    """This hub has no mail server."""

    reason = "EMAIL_NOT_OFFERED"
    template = "This hub sends no e-mail. Give a url for webhooks instead."
    template_fa = "این مرکز رایانامه نمی‌فرستد. نشانی وب‌هوک بدهید."


class EndpointInvalid(InvalidArgument):
    """Neither a webhook's endpoint nor one of e-mail, or both."""

    reason = "ENDPOINT_INVALID"
    template = "An endpoint has either a url, for webhooks, or an email: give one of the two."
    template_fa = "مقصد یا url دارد یا email: یکی از این دو را بدهید."


class QuietHoursInvalid(InvalidArgument):
    """Not hours of a day in a zone."""

    reason = "QUIET_HOURS_INVALID"
    template = (
        "quiet_hours cannot be used: {why}. Give start and end as HH:MM, not the same, and an IANA time_zone such as "
        "Asia/Tehran."
    )
    template_fa = "ساعت‌های سکوت پذیرفته نیست. آغاز و پایان را مانند 22:00 و منطقهٔ زمانی را مانند Asia/Tehran بدهید."


class EventTypeUnknown(InvalidArgument):
    """Not an event that anybody is told of."""

    reason = "EVENT_TYPE_UNKNOWN"
    template = "There is no event type {event_type}. There are: {known}."
    template_fa = "رویدادی با نام {event_type} نیست."


class EndpointNotFound(NotFound):
    """There is none, or it is another body's."""

    reason = "ENDPOINT_NOT_FOUND"
    template = "There is no endpoint of yours by this name. ListEndpoints names yours."
    template_fa = "مقصدی با این نام ندارید. فهرست مقصدهایتان در ListEndpoints است."


class EndpointIdReused(AlreadyExists):
    """The id stands for another endpoint, or for one that ended."""

    reason = "ENDPOINT_ID_REUSED"
    template = "The endpoint id {endpoint_id} was used before, for another one or one that ended. Choose a new UUIDv4."
    template_fa = "این شناسه پیش‌تر به کار رفته است. شناسهٔ تازه‌ای برگزینید."


class EndpointHasNoSecret(FailedPrecondition):
    """E-mail is not signed."""

    reason = "ENDPOINT_HAS_NO_SECRET"
    template = "This endpoint is one of e-mail, which has no secret. Only webhooks are signed."
    template_fa = "این مقصد رایانامه است و کلید ندارد."


class TooManyEndpoints(ResourceExhausted):
    """The body has as many as it may."""

    reason = "TOO_MANY_ENDPOINTS"
    template = "Your body has {limit} endpoints, which is all it may have. Delete one first."
    template_fa = "شمار مقصدهای شما به بیشینهٔ {limit} رسیده است. نخست یکی را حذف کنید."


class TooManyEndpointsMade(ResourceExhausted):
    """The body made as many within a day as it may; ended ones are kept for ever."""

    reason = "TOO_MANY_ENDPOINTS_MADE"
    template = "Your body made {limit} endpoints within a day, which is all it may. Keep those you have, or wait."
    template_fa = "در یک روز بیش از {limit} مقصد نمی‌توان ساخت. مقصدهای کنونی را نگه دارید یا منتظر بمانید."


class TooManySecrets(ResourceExhausted):
    """As many replaced secrets are still in force as may be."""

    reason = "TOO_MANY_SECRETS"
    template = (
        "{limit} replaced secrets of this endpoint are still in force. Wait until the first has ended, or make a new "
        "endpoint and delete this one."
    )
    template_fa = "هنوز {limit} کلید پیشین این مقصد اعتبار دارد. تا پایان نخستینِ آن‌ها بمانید یا مقصد تازه‌ای بسازید."


class RequestIdReused(AlreadyExists):
    """The request id stands for something else."""

    reason = "REQUEST_ID_REUSED"
    template = "The request id {request_id} was used before, for something else. Choose a new UUIDv4."
    template_fa = "این شناسهٔ درخواست پیش‌تر برای کار دیگری به کار رفته است. شناسهٔ تازه‌ای برگزینید."


class NotificationInvalid(InvalidArgument):
    """Letter and delivery do not go together."""

    reason = "NOTIFICATION_INVALID"
    template = "letter must be letters/{{uuid}} and delivery empty or one of that letter's."


class NotificationIdReused(AlreadyExists):
    """The id stands for another notification."""

    reason = "NOTIFICATION_ID_REUSED"
    template = (
        "The notification id {notification_id} was used before with other content: derive it from letter, delivery "
        "and step."
    )


class NotificationNotFound(NotFound):
    """There is none, or it is another body's, or needs a clearance that the caller lacks."""

    reason = "NOTIFICATION_NOT_FOUND"
    template = "There is no notification of yours by this name. ListNotifications names yours."
    template_fa = "اعلانی با این نام ندارید. فهرست اعلان‌هایتان در ListNotifications است."


class ReplayedTooSoon(ResourceExhausted):
    """It was told again a little while ago, or is being told just now."""

    reason = "REPLAYED_TOO_SOON"
    template = "This notification was replayed lately or is being sent just now. Ask again in {seconds} seconds."
    template_fa = "این اعلان به‌تازگی دوباره فرستاده شده یا هم‌اکنون در حال فرستادن است. {seconds} ثانیهٔ دیگر بپرسید."


class NoEndpoint(FailedPrecondition):
    """Nobody to tell again."""

    reason = "NO_ENDPOINT"
    template = (
        "You have no endpoint that wants {event_type} and has the clearance for this letter. Make one with "
        "CreateEndpoint, or EnableEndpoint yours."
    )
    template_fa = "مقصدی مجاز به طبقه‌بندی این نامه برای {event_type} ندارید. یکی بسازید یا مقصد غیرفعال را فعال کنید."


class LinkNotFound(NotFound):
    """The body has no endpoint."""

    reason = "LINK_NOT_FOUND"
    template = "{body} has no endpoint, so there is nothing to pause."


class LinkPaused(FailedPrecondition):
    """It is already."""

    reason = "LINK_PAUSED"
    template = "The link of {body} is paused already. ResumeLink ends that."


class LinkNotPaused(FailedPrecondition):
    """It is not."""

    reason = "LINK_NOT_PAUSED"
    template = "The link of {body} is not paused. PauseLink does it."
