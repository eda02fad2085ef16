"""What kind of file some bytes are, by their first bytes."""

from services.documents.inspection.finding import Finding, Rejection, reject

HEAD_BYTES = 4096
TEXT = "text/plain"
UNKNOWN = "application/octet-stream"

_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"GIF8", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"\x1f\x8b", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\x7fELF", "application/x-executable"),
    (b"MZ", "application/x-executable"),
)
# Of these the first bytes say only that it is text; whether it is well formed, the parser says.
_TEXTUAL = frozenset({TEXT, "application/xml", "text/xml", "application/json"})
# What no text holds: the C0 controls but tab, line feed, form feed and carriage return; and DEL.
_CONTROLS = frozenset(range(0x20)) - frozenset(b"\t\n\f\r") | {0x7F}


def sniff(head: bytes) -> str:
    """The media type that a file's first bytes show: a signature's, TEXT, or UNKNOWN."""
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    return TEXT if is_text(head) else UNKNOWN


def is_text(head: bytes) -> bool:
    """Whether these bytes begin a UTF-8 text; a character cut at the end counts as whole."""
    if _CONTROLS.intersection(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.end == len(head) and error.reason == "unexpected end of data"
    return True


def compare(declared: str, head: bytes) -> Finding | None:
    """A finding if the bytes are not of the declared type."""
    found = sniff(head)
    if found == (TEXT if declared in _TEXTUAL else declared):
        return None
    shown = "of no type we know" if found == UNKNOWN else found
    return reject(
        Rejection.MEDIA_TYPE_MISMATCH,
        f"The document was declared as {declared}, but its bytes are {shown}. Upload it under a new id with the media "
        f"type it has, or the file you meant.",
    )
