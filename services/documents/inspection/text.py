"""Plain text, XML and JSON: well-formed UTF-8 that means the same to every reader."""

import codecs
import json
import re
from typing import BinaryIO

from lxml import etree

from services.documents.inspection.finding import Finding, Rejection, reject
from services.documents.inspection.sniff import is_text

_BLOCK_BYTES = 65536
# The XML declaration (XML 1.0 §2.8), whole and with the encoding that it names.
_DECLARATION = re.compile(
    rb"""<\?xml\s+version\s*=\s*(["'])1\.[0-9]+\1(?:\s+encoding\s*=\s*(["'])(?P<encoding>[\w.-]+)\2)?"""
    rb"""(?:\s+standalone\s*=\s*(["'])(?:yes|no)\4)?\s*\?>"""
)


def inspect_text(file: BinaryIO) -> Finding:
    """UTF-8 (RFC 3629) without control characters but tab, line ends and form feed; a byte order mark may stand."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := file.read(_BLOCK_BYTES):
            # The decoder holds back a character cut by the block's end, so what it gave is whole.
            if not is_text(decoder.decode(block).encode()):
                return _damaged("text", "it holds control characters")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _damaged("text", "it is not UTF-8")
    return Finding()


class _Refused(Exception):
    """The document type declaration was met."""


class _WellFormed:
    """A parser target (lxml) that keeps nothing, so that memory does not grow with the file."""

    def doctype(self, name: str, public_id: str | None, system_url: str | None) -> None:
        raise _Refused

    def start(self, tag: str, attributes: object) -> None:
        pass

    def end(self, tag: str) -> None:
        pass

    def data(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


def inspect_xml(file: BinaryIO) -> Finding:
    """Well formed (XML 1.0). No document type: entities are the bombs and the ways out (OWASP ASVS 5.0, V1.5.1).

    In UTF-8, also where it names another encoding: in UTF-7, markup looks like text to whoever does not know it.
    """
    head = file.read(_BLOCK_BYTES).removeprefix(codecs.BOM_UTF8)
    if re.match(rb"<\?xml\s", head):
        # Whole in the first block, or what it names would be read by others and not by us.
        if not (declaration := _DECLARATION.match(head)):
            return _damaged("XML", "its XML declaration is not well formed, or very long")
        if (declaration["encoding"] or b"utf-8").lower() not in (b"utf-8", b"us-ascii"):
            return _damaged("XML", "it declares another encoding than UTF-8")
    file.seek(0)
    parser = etree.XMLParser(
        target=_WellFormed(),
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )
    try:
        while block := file.read(_BLOCK_BYTES):
            parser.feed(block)
        parser.close()
    except _Refused:
        return _damaged("XML", "it declares a document type (<!DOCTYPE>), which is not taken")
    except etree.XMLSyntaxError as error:
        return _damaged("XML", f"not well formed in line {error.lineno}")
    return Finding()


def inspect_json(file: BinaryIO) -> Finding:
    """JSON (RFC 8259) without names given twice, of which readers choose differently."""
    try:
        # Numbers stay text: converting a huge one costs more than reading it. Decoded here: json takes surrogates.
        text = file.read().decode("utf-8-sig")
        json.loads(text, object_pairs_hook=_distinct, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except UnicodeDecodeError:
        return _damaged("JSON", "it is not UTF-8")
    except RecursionError:
        return reject(Rejection.INSPECTION_LIMIT, "The JSON is nested too deeply. Upload a flatter one under a new id.")
    except ValueError as error:
        reason = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else str(error)
        return _damaged("JSON", f"not well formed: {reason}")
    return Finding()


def _distinct(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice in one object")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _damaged(kind: str, detail: str) -> Finding:
    return reject(Rejection.DAMAGED, f"The {kind} is damaged ({detail}). Correct it and upload it under a new id.")
