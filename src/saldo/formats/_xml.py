"""XML from strangers: parsed strictly, repaired only where the repair cannot change an amount.

No DTD, no entities, no network. A document that does not parse is tried again after repairs that are each
followed by another strict parse: encoding, stray control characters, bare ampersands, padding around the
document. A parser in recovery mode is never trusted with content, because it accepts a document cut in the
middle and loses installments silently; it serves only to tolerate namespace mistakes, and to tell the
person what the broken file seems to hold.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from saldo.core.errors import Rejection, clipped
from saldo.formats.records import Refusal

MAX_XML_BYTES = 64 * 2**20
# libxml2 refuses a text node of 10 MB unless told otherwise; a base64 attachment can be that long.
HUGE_TEXT_BYTES = 9 * 2**20
MAX_DEPTH = 256

_DECLARATION = re.compile(r"^<\?xml\b[^>]*?\?>")
_DECLARED_ENCODING = re.compile(rb"^<\?xml\b[^>]*?encoding\s*=\s*[\"']([\w.:-]+)[\"']")
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")
_QUALIFIED = etree.XPath("descendant-or-self::*[namespace-uri() or contains(name(), ':')]")
_PADDING = b"\x00\t\n\r \x1a"
_DTD_MARKS = ("<!DOCTYPE", "<!ENTITY")
_TRUNCATION_ERRORS = {"ERR_TAG_NOT_FINISHED", "ERR_GT_REQUIRED", "ERR_DOCUMENT_END", "ERR_CDATA_NOT_FINISHED"}


@dataclass(frozen=True, slots=True)
class XmlDocument:
    """A parsed document whose tags are local names, and the repairs that made it parse (usually none)."""

    root: etree._Element
    repairs: tuple[str, ...] = ()


def parse_xml(data: bytes, readable: Callable[[etree._Element], str] | None = None) -> XmlDocument:
    """Parse untrusted ``data``. Raises Refusal (empty, too large, with a DTD, truncated, broken).

    readable: names what a broken document seems to hold, given the root found in recovery mode.
    """
    if not data.strip(_PADDING):
        raise Refusal(Rejection("empty_file", "", ""))
    if len(data) > MAX_XML_BYTES:
        raise Refusal(Rejection("file_too_large", "", "", {"limit": f"{MAX_XML_BYTES // 2**20} MiB"}))
    _refuse_dtd(data)
    root, errors = _strict(data)
    repairs: list[str] = []
    if root is None:
        root, repairs = _after_repairs(data)
    if root is None:
        raise Refusal(_broken(data, errors, readable))
    if root.getroottree().docinfo.internalDTD is not None:
        raise Refusal(Rejection("xml_dtd", "<!DOCTYPE", _head(data)))
    if len(data) > HUGE_TEXT_BYTES and _depth_exceeds(root, MAX_DEPTH):
        raise Refusal(Rejection("file_too_large", "", "", {"limit": f"{MAX_DEPTH} levels"}))
    _to_local_names(root)
    return XmlDocument(root, tuple(repairs))


def _depth_exceeds(root: etree._Element, most: int) -> bool:
    """The limit of the parser, which it drops together with that on long texts."""
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > most:
            return True
    return False


def local_name(element: etree._Element) -> str:
    """The tag without its namespace."""
    return str(element.tag).rpartition("}")[2]


def text_of(parent: etree._Element | None, path: str) -> str | None:
    """The text at ``path`` below ``parent`` without surrounding spaces; None when absent or blank."""
    if parent is None:
        return None
    text = parent.findtext(path)
    return (text.strip() or None) if text else None


def texts_of(parent: etree._Element, path: str) -> tuple[str, ...]:
    """The distinct non-blank texts at ``path``, in document order."""
    found = (element.text.strip() for element in parent.iterfind(path) if element.text)
    return tuple(dict.fromkeys(text for text in found if text))


def _parser(size: int, recover: bool = False) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        # The guard against amplification that this switches off concerns entities, refused before parsing.
        huge_tree=size > HUGE_TEXT_BYTES,
        recover=recover,
        remove_comments=True,
        remove_pis=True,
    )


def _strict(data: bytes) -> tuple[etree._Element | None, list[etree._LogEntry]]:
    parser = _parser(len(data))
    try:
        return etree.fromstring(data, parser), []
    except (etree.XMLSyntaxError, ValueError, LookupError):
        return None, list(parser.error_log)


def _refuse_dtd(data: bytes) -> None:
    """An invoice has no DTD. Entities are refused before a parser sees them."""
    encodings = ("ascii", "utf-16-le", "utf-16-be") if b"\x00" in data else ("ascii",)
    for mark in _DTD_MARKS:
        for encoding in encodings:
            if mark.encode(encoding) in data:
                raise Refusal(Rejection("xml_dtd", mark, _head(data)))


def _after_repairs(data: bytes) -> tuple[etree._Element | None, list[str]]:
    """Try harmless repairs, one after the other, with a strict parse after each."""
    repairs: list[str] = []
    text = _decoded(data, repairs)
    steps: tuple[tuple[str, Callable[[str], str]], ...] = (
        ("declaration", _without_declaration),
        ("control characters", lambda value: _CONTROL_CHARACTERS.sub("", value)),
        ("ampersand", lambda value: _BARE_AMPERSAND.sub("&amp;", value)),
    )
    for name, step in steps:
        repaired = step(text)
        if repaired != text and name != "declaration":
            repairs.append(name)
        text = repaired
        root, _ = _strict(text.encode())
        if root is not None:
            return root, repairs or ["padding"]
    root = _with_namespace_mistakes(text.encode())
    return (root, [*repairs, "namespace"]) if root is not None else (None, repairs)


def _decoded(data: bytes, repairs: list[str]) -> str:
    """The text of ``data``: by its byte order mark, else as UTF-8 with stray windows-1252 bytes."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace").strip("\ufeff\x00\r\n\t \x1a")
    clean = data.strip(_PADDING).removeprefix(b"\xef\xbb\xbf").strip(_PADDING).removeprefix(b"\xef\xbb\xbf")
    declared = _DECLARED_ENCODING.search(clean[:200])
    try:
        text = clean.decode("utf-8")
    except UnicodeDecodeError:
        repairs.append("encoding")
        return clean.decode("utf-8", errors=_BYTES_AS_WINDOWS_1252)
    if declared and declared.group(1).lower() not in (b"utf-8", b"utf8"):
        repairs.append("encoding")
    return text


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Decode only the bytes that are not UTF-8: one bad accent must not garble the good ones."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("windows-1252", errors="replace"), error.end


_BYTES_AS_WINDOWS_1252 = "saldo_bytes_as_windows_1252"
codecs.register_error(_BYTES_AS_WINDOWS_1252, _as_windows_1252)


def _without_declaration(text: str) -> str:
    return _DECLARATION.sub("", text, count=1).strip("\ufeff\x00\r\n\t \x1a")


def _with_namespace_mistakes(data: bytes) -> etree._Element | None:
    """The root if the only defects are of namespaces (a bad URI, a prefix never declared), else None.

    Readers go by local names, so such a defect cannot change what is read.
    """
    parser = _parser(len(data), recover=True)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if any(entry.domain != etree.ErrorDomains.NAMESPACE and "NS_" not in entry.type_name
           for entry in parser.error_log):  # fmt: skip
        return None
    return root if isinstance(root, etree._Element) else None


def _broken(
    data: bytes, errors: list[etree._LogEntry], readable: Callable[[etree._Element], str] | None
) -> Rejection:
    """Why ``data`` cannot be read, in which line, and what it seems to hold."""
    held = _what_recovery_sees(data, readable)
    first = errors[0] if errors else None
    where = f"line {first.line}, column {first.column}" if first else ""
    lines = data.splitlines()
    excerpt = lines[first.line - 1] if first and 0 < first.line <= len(lines) else data[-200:]
    code = "xml_truncated" if _is_truncated(data, errors) else "xml_broken"
    reason = first.message if first else ""
    return Rejection(
        code, where, excerpt.decode("utf-8", errors="replace"), {"reason": reason, "readable": held or "-"}
    )


def _is_truncated(data: bytes, errors: list[etree._LogEntry]) -> bool:
    tail = data.rstrip(_PADDING)
    if not tail.endswith(b">"):
        return True
    return any(entry.type_name in _TRUNCATION_ERRORS or "Premature end" in entry.message for entry in errors)


def _what_recovery_sees(data: bytes, readable: Callable[[etree._Element], str] | None) -> str:
    if readable is None:
        return ""
    try:
        root = etree.fromstring(data, _parser(len(data), recover=True))
    except (etree.XMLSyntaxError, ValueError):
        return ""
    if not isinstance(root, etree._Element):
        return ""
    _to_local_names(root)
    return clipped(readable(root))


def _to_local_names(root: etree._Element) -> None:
    found = _QUALIFIED(root)
    elements = found if isinstance(found, list) else []
    for element in elements:
        assert isinstance(element, etree._Element)
        # What recovery mode makes of a broken tag may be no name at all: it stays as it is.
        try:
            element.tag = local_name(element).rpartition(":")[2]
        except ValueError:
            continue


def _head(data: bytes) -> str:
    return data[:200].decode("utf-8", errors="replace")
