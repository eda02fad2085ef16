"""Why a signature is refused: one class per reason. `place` is `signatures[0]`, or a receipt's `signature`."""

from services.runtime.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable


class SignatureMalformed(InvalidArgument):
    """Not a signature file of the form in docs/formats.md."""

    reason = "SIGNATURE_MALFORMED"
    template = "{place} is no CAdES-B detached signature of the form taken here: {why}. Sign again in that form."
    template_fa = "{place} امضای CAdES-B جدا با شکل پذیرفته نیست: {why}."


class SignatureWrong(InvalidArgument):
    """A signature file of the right form, made over other bytes or with another key."""

    reason = "SIGNATURE_WRONG"
    template = "{place} does not sign these bytes. Sign exactly the bytes that are sent."
    template_fa = "{place} این بایت‌ها را امضا نمی‌کند. دقیقاً همان بایت‌های ارسالی را امضا کنید."


class CertificateMismatch(InvalidArgument):
    """Made with a certificate whose digest is not the one that its signer states."""

    reason = "CERTIFICATE_MISMATCH"
    template = "{place} is made with another certificate than the manifest names. Name the certificate that signs."
    template_fa = "{place} با گواهی دیگری جز گواهی نام‌برده در شناسنامه ساخته شده است."


class CertificateNotListed(NotFound):
    """Directory does not know the certificate."""

    reason = "CERTIFICATE_NOT_LISTED"
    template = "The certificate of {place} is not listed. Have the hub's operator add it, or sign with a listed one."
    template_fa = "گواهی {place} ثبت نشده است. از گواهی ثبت‌شده استفاده کنید."


class CertificatePurposeWrong(InvalidArgument):
    """Directory lists the certificate for another purpose than this place's."""

    reason = "CERTIFICATE_PURPOSE_WRONG"
    template = "The certificate of {place} is for {given}; here one for {wanted} is needed. Sign with that."
    template_fa = "گواهی {place} برای {given} است؛ اینجا گواهی {wanted} لازم است."


class CertificateOfAnotherBody(InvalidArgument):
    """Directory lists the certificate for another body than the one that must sign."""

    reason = "CERTIFICATE_OF_ANOTHER_BODY"
    template = "The certificate of {place} is not {body}'s. Sign with a certificate of that body."
    template_fa = "گواهی {place} از آن {body} نیست."


class CertificatePositionWrong(InvalidArgument):
    """Directory lists the certificate for another position than the manifest states."""

    reason = "CERTIFICATE_POSITION_WRONG"
    template = "The certificate of {place} is another position's than its signer states. State that."
    template_fa = "سمت گواهی {place} با سمت امضاکننده در شناسنامه یکی نیست."


class CertificateNotYetValid(FailedPrecondition):
    """A certificate of the chain begins after now."""

    reason = "CERTIFICATE_NOT_YET_VALID"
    template = "The certificate of {place} is valid from {not_before} only. Sign with one that is valid now."
    template_fa = "گواهی {place} تازه از {not_before} معتبر است."


class CertificateExpired(FailedPrecondition):
    """A certificate of the chain ended before now."""

    reason = "CERTIFICATE_EXPIRED"
    template = "The certificate of {place} expired at {not_after}. Sign with one that is valid now."
    template_fa = "اعتبار گواهی {place} در {not_after} پایان یافته است."


class CertificateRevoked(FailedPrecondition):
    """Revoked in directory, or in a CRL of its issuer."""

    reason = "CERTIFICATE_REVOKED"
    template = "The certificate of {place} is revoked ({why}). Sign with one that is valid now."
    template_fa = "گواهی {place} باطل شده است ({why})."


class CertificateNotTrusted(FailedPrecondition):
    """No path to a root of this hub, one of a development PKI in production, or a certificate too weak for a path."""

    reason = "CERTIFICATE_NOT_TRUSTED"
    template = "The certificate of {place} does not lead to a root trusted here: {why}. Send its whole chain."
    template_fa = "زنجیرهٔ گواهی {place} به ریشهٔ مورد اعتماد نمی‌رسد: {why}."


class RevocationUnknown(Unavailable):
    """No list of an issuer on the path is in force, or one is damaged."""

    reason = "REVOCATION_UNKNOWN"
    template = "Whether the certificate of {place} is revoked cannot be said now: {why}. Send the same request again."
    template_fa = "اکنون نمی‌توان گفت گواهی {place} باطل شده است یا نه. همین درخواست را دوباره بفرستید."
