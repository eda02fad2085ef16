"""Images: every page decoded once, within a limit of pixels known before a pixel is decoded."""

import warnings
from typing import BinaryIO

from PIL import Image, ImageSequence, UnidentifiedImageError

from services.documents.inspection.finding import Finding, Limits, Rejection, reject

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/tiff": "TIFF"}
MEDIA_TYPES = frozenset(_FORMATS)


def inspect_image(file: BinaryIO, media_type: str, limits: Limits) -> Finding:
    """Decodes each page; rejects what is truncated, damaged or larger than `image_pixels_max`."""
    Image.MAX_IMAGE_PIXELS = limits.image_pixels_max
    try:
        with warnings.catch_warnings():
            # Above the limit Pillow only warns at first.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)
            formats = [_FORMATS[media_type]]
            # Of a PNG this checks every chunk to the end, which decoding does not; afterwards it must be opened anew.
            Image.open(file, formats=formats).verify()
            file.seek(0)
            with Image.open(file, formats=formats) as image:
                return _inspect(image, limits)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return reject(
            Rejection.INSPECTION_LIMIT,
            f"The image has more than {limits.image_pixels_max} pixels on a page. Scan it with a lower resolution and "
            f"upload it under a new id.",
        )
    except UnidentifiedImageError:
        return _damaged("its header cannot be read")
    except (OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError, ArithmeticError) as error:
        # Whatever a decoder raises on bytes that are none of its format.
        return _damaged(type(error).__name__)


def _inspect(image: Image.Image, limits: Limits) -> Finding:
    pages = 0
    for page in ImageSequence.Iterator(image):
        pages += 1
        if pages > limits.pages_max:
            return reject(
                Rejection.TOO_MANY_PAGES,
                f"The image has more than {limits.pages_max} pages. Split it into several documents.",
            )
        if page.width * page.height > limits.image_pixels_max:
            raise Image.DecompressionBombError
        page.load()
    return Finding(pages=pages)


def _damaged(detail: str) -> Finding:
    return reject(
        Rejection.DAMAGED, f"The image is damaged ({detail}). Save or scan it again and upload it under a new id."
    )
