"""OFX as a tree: version 1 (SGML, whose fields have no closing tags) and version 2 (XML) in one pass.

A tokenizer of its own rather than an XML parser, because banks write either form with the faults of the
other. Nothing is expanded beyond the five entities of XML, blanks and character numbers.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from saldo.core.errors import Rejection
from saldo.formats.records import Refusal

MAX_BYTES = 64 * 2**20
# 64 MiB of empty tags would be twenty million; a statement of a year of a busy account has half a million.
MAX_TAGS = 5_000_000
MAX_DEPTH = 40

# Aggregates: what holds other fields. Any other name holds text, unless the file closes it.
AGGREGATES = frozenset(
    ("OFX", "SIGNONMSGSRSV1", "SONRS", "FI", "STATUS", "BANKMSGSRSV1", "CREDITCARDMSGSRSV1", "STMTTRNRS",
     "CCSTMTTRNRS", "STMTRS", "CCSTMTRS", "BANKACCTFROM", "CCACCTFROM", "BANKTRANLIST", "BANKTRANLISTP",
     "STMTTRN", "STMTTRNP", "BANKACCTTO", "CCACCTTO", "PAYEE", "CURRENCY", "ORIGCURRENCY", "LEDGERBAL",
     "AVAILBAL", "BALLIST", "BAL")
)  # fmt: skip
FIELDS = frozenset(
    ("TRNTYPE", "DTPOSTED", "DTUSER", "DTAVAIL", "DTTRAN", "TRNAMT", "FITID", "CORRECTFITID", "CORRECTACTION",
     "CHECKNUM", "REFNUM", "SIC", "NAME", "EXTDNAME", "MEMO", "CURDEF", "CURSYM", "CURRATE", "BANKID",
     "BRANCHID", "ACCTID", "ACCTTYPE", "ACCTKEY", "BALAMT", "DTASOF", "DTSTART", "DTEND", "CODE", "SEVERITY",
     "MESSAGE", "TRNUID")
)  # fmt: skip
STATEMENTS = frozenset(("STMTRS", "CCSTMTRS"))
LINES = frozenset(("STMTTRN", "STMTTRNP"))
# What cannot stand within a thing of its own kind, or within what it ends when a closing tag is missing.
_ENDS = {
    **dict.fromkeys(LINES, LINES),
    **dict.fromkeys(("LEDGERBAL", "AVAILBAL", "BALLIST"), LINES | {"LEDGERBAL", "AVAILBAL", "BANKTRANLIST"}),
    **dict.fromkeys(("BANKTRANLIST", "BANKTRANLISTP"), LINES | {"BANKTRANLIST", "BANKTRANLISTP"}),
    **dict.fromkeys(STATEMENTS, STATEMENTS),
    "OFX": frozenset({"OFX"}),
}

_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9_.:-]*)([^<>]*)>([^<]*)")
_CLOSING = re.compile(r"</([A-Za-z][A-Za-z0-9_.:-]*)[ \t\r\n]*>")
_REFERENCE = re.compile(r"&(#[0-9]{1,7}|#x[0-9a-fA-F]{1,6}|[A-Za-z]{2,8});")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": " "}
_CHARSET = re.compile(r"CHARSET:\s*([A-Za-z0-9_-]+)", re.IGNORECASE)
_XML_ENCODING = re.compile(r"encoding\s*=\s*[\"']([\w.:-]+)[\"']", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(slots=True)
class Node:
    """One aggregate. fields: name -> text, the first one; repeated: names that came again otherwise.

    is_closed: its closing tag was there. Without it, a statement may have been cut.
    """

    tag: str
    fields: dict[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    repeated: set[str] = field(default_factory=set)
    is_closed: bool = False

    def child(self, *tags: str) -> Node | None:
        return next((one for one in self.children if one.tag in tags), None)

    def within(self, *tags: str) -> Iterator[Node]:
        """All of these names below, in the order of the file."""
        for one in self.children:
            if one.tag in tags:
                yield one
            yield from one.within(*tags)

    def outside(self, tags: frozenset[str]) -> Iterator[Node]:
        """This one and all below that are no part of one of these names."""
        if self.tag not in tags:
            yield self
            for one in self.children:
                yield from one.outside(tags)


def tree_of(data: bytes) -> Node:
    """The whole file below a node without a name. Raises Refusal (too large, with a DTD)."""
    if len(data) > MAX_BYTES:
        raise Refusal(Rejection("file_too_large", "", "", {"limit": f"{MAX_BYTES // 2**20} MiB"}))
    text = _plain(text_of_bytes(data))
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Refusal(Rejection("xml_dtd", "<!DOCTYPE", text[:200]))
    closed = {found.group(1).upper() for found in _CLOSING.finditer(text)}
    return _Builder(closed).built(text)


class _Builder:
    """The open aggregates while the tags go by."""

    def __init__(self, closed: set[str]) -> None:
        self.closed = closed
        self.root = Node("")
        self.stack = [self.root]

    def built(self, text: str) -> Node:
        for count, found in enumerate(_TAG.finditer(text)):
            if count >= MAX_TAGS:
                raise Refusal(Rejection("file_too_large", "", "", {"limit": f"{MAX_TAGS:,} tags"}))
            tag = found.group(2).upper().rpartition(":")[2]
            if found.group(1):
                self.close(tag)
            elif not found.group(3).rstrip().endswith("/"):
                self.open(tag, found.group(4).strip())
        return self.root

    def open(self, tag: str, text: str) -> None:
        is_aggregate = tag in AGGREGATES or (not text and tag not in FIELDS and tag in self.closed)
        if not is_aggregate:
            self.say(tag, text)
            return
        while self.stack[-1].tag in _ENDS.get(tag, ()):
            self.stack.pop()
        if len(self.stack) >= MAX_DEPTH:
            raise Refusal(Rejection("file_too_large", f"<{tag}>", "", {"limit": f"{MAX_DEPTH} levels"}))
        node = Node(tag)
        self.stack[-1].children.append(node)
        self.stack.append(node)

    def close(self, tag: str) -> None:
        """Closes the innermost open aggregate of that name, and all within; else it closed a field."""
        for depth in range(len(self.stack) - 1, 0, -1):
            if self.stack[depth].tag == tag:
                self.stack[depth].is_closed = True
                del self.stack[depth:]
                return

    def say(self, tag: str, text: str) -> None:
        node = self.stack[-1]
        value = unescaped(text)
        if node.fields.setdefault(tag, value) != value:
            node.repeated.add(tag)


def unescaped(text: str) -> str:
    """``text`` with its character references resolved once; an unknown name stays as it is written."""
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    name = found.group(1)
    if not name.startswith("#"):
        return _ENTITIES.get(name.lower(), found.group())
    return _CONTROL.sub("", html.unescape(found.group()))


def _plain(text: str) -> str:
    """Without comments; sections of unparsed characters become escaped text."""
    if "<!--" in text:
        first, *others = text.split("<!--")
        text = first + "".join(piece.partition("-->")[2] for piece in others)
    if "<![CDATA[" in text:
        first, *others = text.split("<![CDATA[")
        pieces = [first]
        for piece in others:
            inner, _, after = piece.partition("]]>")
            pieces += [html.escape(inner, quote=False), after]
        text = "".join(pieces)
    return text


def text_of_bytes(data: bytes) -> str:
    """The text: by its byte order mark, else UTF-8 if it is that, else as its header says, else Latin-1.

    UTF-8 comes before the header, because files that declare 1252 and hold UTF-8 are common, and a text in
    1252 with accents is hardly ever UTF-8 by chance.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", errors="replace")
    else:
        text = _decoded(data.removeprefix(b"\xef\xbb\xbf"))
    return _CONTROL.sub("", text.replace("\ufeff", ""))


def _decoded(data: bytes) -> str:
    for encoding in ("utf-8", _declared(data[:1024].decode("latin-1")), "windows-1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _declared(head: str) -> str:
    found = _CHARSET.search(head) or _XML_ENCODING.search(head)
    name = found.group(1) if found else ""
    for candidate in (f"cp{name}", name, f"iso-{name}"):
        try:
            if codecs.lookup(candidate).name.startswith(("cp", "iso8859", "utf")):
                return candidate
        except LookupError:
            continue
    return "windows-1252"
