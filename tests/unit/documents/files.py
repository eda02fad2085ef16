"""Files as members send them, good and hostile."""

import io
import struct
import zlib

import pikepdf
from PIL import Image


def pdf(pages: int = 1, *, attachment: bytes = b"", encryption: pikepdf.Encryption | None = None) -> bytes:
    """A PDF; with `attachment` as large as wanted, since that is stored as it is."""
    document = pikepdf.new()
    for _ in range(pages):
        document.add_blank_page()
    if attachment:
        document.Root.Attachment = pikepdf.Stream(document, attachment)
    file = io.BytesIO()
    document.save(file, compress_streams=False, encryption=encryption or False, deterministic_id=encryption is None)
    return file.getvalue()


def encrypted_pdf() -> bytes:
    """A PDF that opens with a password only."""
    return pdf(encryption=pikepdf.Encryption(owner="o", user="u"))


def restricted_pdf() -> bytes:
    """A PDF that opens without a password and forbids printing."""
    return pdf(encryption=pikepdf.Encryption(owner="o", user=""))


def bomb(size_bytes: int, layers: int) -> bytes:
    """Zeros, deflated `layers` times."""
    packer, block = zlib.compressobj(9), bytes(1 << 20)
    data = b"".join([*(packer.compress(block) for _ in range(size_bytes >> 20)), packer.flush()])
    for _ in range(layers - 1):
        data = zlib.compress(data, 9)
    return data


def bomb_pdf(size_bytes: int) -> bytes:
    """A PDF whose page content unpacks to `size_bytes`."""
    document = pikepdf.new()
    page = document.add_blank_page()
    content = pikepdf.Stream(document, b"")
    content.write(bomb(size_bytes, 2), filter=pikepdf.Array([pikepdf.Name.FlateDecode] * 2))
    page.Contents = content
    file = io.BytesIO()
    # As written: pikepdf would otherwise unpack it to pack it better.
    document.save(file, stream_decode_level=pikepdf.StreamDecodeLevel.none, compress_streams=False)
    return file.getvalue()


def busy_pdf(pages: int) -> bytes:
    """A PDF of many pages drawn by the same content, which takes a while to unpack each time."""
    document = pikepdf.new()
    content = pikepdf.Stream(document, b"")
    content.write(bomb(64 << 20, 1), filter=pikepdf.Name.FlateDecode)
    for _ in range(pages):
        document.add_blank_page().Contents = content
    file = io.BytesIO()
    document.save(file, stream_decode_level=pikepdf.StreamDecodeLevel.none, compress_streams=False)
    return file.getvalue()


def png(width: int = 8, height: int = 8, data: bytes | None = None) -> bytes:
    """A PNG that says it has this size, over `data` (deflated) or black pixels."""
    if data is None:
        file = io.BytesIO()
        Image.new("RGB", (width, height)).save(file, "PNG")
        return file.getvalue()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def image(media_type: str, pages: int = 1) -> bytes:
    """A small image of this type."""
    file, frames = io.BytesIO(), [Image.new("RGB", (16, 16), (shade, 0, 0)) for shade in range(pages)]
    kind = {"image/png": "PNG", "image/jpeg": "JPEG", "image/tiff": "TIFF"}[media_type]
    more = {"save_all": True, "append_images": frames[1:]} if pages > 1 else {}
    frames[0].save(file, kind, **more)
    return file.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
