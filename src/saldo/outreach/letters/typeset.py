"""Setting documents: plain data to PDF/A-2b. The fonts are those that Typst brings, so that a letter looks
the same on every machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.resources import files
from threading import local
from typing import Any

import typst

from saldo.core.text_tables import Paragraph, Table, blocks
from saldo.outreach.letters.codes import Transfer, code_of

STANDARD = "a-2b"
_WORDS = {
    "it": {"subject": "Oggetto", "signature": "Firma", "page": "Pagina", "of": "di"},
    "en": {"subject": "Subject", "signature": "Signature", "page": "Page", "of": "of"},
}
_compilers = local()


@dataclass(frozen=True, slots=True)
class Heading:
    text: str


Block = Heading | Paragraph | Table


@dataclass(frozen=True, slots=True)
class Letterhead:
    name: str
    lines: tuple[str, ...] = ()
    foot: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """address: the lines in the envelope's window; service: above them ("Raccomandata A/R"). sheet: what
    follows on a page of its own. is_signed: with a line for the signature. transfer: what its code says."""

    head: Letterhead
    address: tuple[str, ...]
    date: str
    subject: str
    blocks: tuple[Block, ...]
    service: str = ""
    is_signed: bool = False
    transfer: Transfer | None = None
    sheet: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document without an addressee's window: a statement, a copy of an invoice."""

    head: Letterhead
    blocks: tuple[Block, ...] = field(default_factory=tuple)


def pdf(
    documents: Sequence[Letter | Sheet], language: str, title: str, at: datetime, duplex: bool = False
) -> bytes:
    """One file with the documents, each from a page 1 of its own.

    duplex: each begins on a new sheet when both sides are printed. at: the file's date of making, so that the
    same letter is the same bytes.
    """
    told = {
        "lang": language,
        "title": title,
        "author": documents[0].head.name if documents else "",
        "words": _WORDS[language],
        "duplex": duplex,
        "documents": [_data(each, language) for each in documents],
    }
    made = _compiler().compile(
        input=_source(),
        format="pdf",
        pdf_standards=STANDARD,
        sys_inputs={"data": json.dumps(told, ensure_ascii=False)},
        timestamp=int(at.timestamp()),
    )
    assert isinstance(made, bytes), "one PDF"
    return made


@cache
def _source() -> bytes:
    return files("saldo.outreach.letters").joinpath("letter.typ.txt").read_bytes()


def _compiler() -> typst.Compiler:
    """One for each thread: its fonts are found once."""
    found = getattr(_compilers, "compiler", None)
    if found is None:
        found = _compilers.compiler = typst.Compiler(ignore_system_fonts=True)
    return found


def _data(document: Letter | Sheet, language: str) -> dict[str, Any]:
    head = document.head
    told: dict[str, Any] = {
        "kind": "letter" if isinstance(document, Letter) else "sheet",
        "sender": {"name": head.name, "lines": list(head.lines)},
        "foot": head.foot or head.name,
        "blocks": [_block(each) for each in document.blocks],
    }
    if isinstance(document, Letter):
        code = document.transfer and code_of(document.transfer, language)
        told |= {
            "service": document.service,
            "address": list(document.address),
            "date": document.date,
            "subject": document.subject,
            "signed": document.is_signed,
            "qr": code and {"svg": code.svg, "alt": code.alt, "lines": list(code.lines)},
            "sheet": [_block(each) for each in document.sheet] or None,
        }
    return told


def _block(block: Block) -> Mapping[str, Any]:
    if isinstance(block, Heading):
        return {"kind": "h", "text": block.text}
    if isinstance(block, Paragraph):
        return {"kind": "p", "lines": list(block.lines)}
    # flatten() in the template takes lists of lists apart: rows stay lists of texts.
    return {
        "kind": "t",
        "header": list(block.header),
        "rows": [list(row) for row in block.rows],
        "footer": [list(row) for row in block.footer],
        "right": list(block.right),
    }


def blocks_of(text: str) -> tuple[Block, ...]:
    """The paragraphs and tables of a message's text."""
    return tuple(blocks(text))
