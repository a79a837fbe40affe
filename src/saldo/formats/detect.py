"""What a file is, by its content, and which reader it goes to; containers are opened on the way.

p7m, zip and eml may hold each other to a small depth. Every limit is on what comes out, not on what the
archive claims. Tables are only recognized here: they are read by the tabular reader with a mapping profile.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from saldo.core.errors import Rejection
from saldo.formats import cbi_rh, cbi_riba, financial_statements, pain002
from saldo.formats.camt import read_camt
from saldo.formats.correspondence import attached, attached_pdf, attached_table, is_receipt, read_mail
from saldo.formats.fatturapa import FORMAT, read_fatturapa
from saldo.formats.mt940 import read_mt940
from saldo.formats.ofx import read_ofx
from saldo.formats.p7m import is_p7m, open_p7m
from saldo.formats.pec import read_pec_data
from saldo.formats.records import Notice, ReadResult, Refusal, merged, named, refused
from saldo.formats.remittances import is_edifact, read_pdf, read_remadv, read_remt
from saldo.formats.sdi import TYPE_BY_ROOT, read_sdi
from saldo.formats.tabular import read_ratings_json

# How many lines cut into how many cells make a table of what begins as text.
_ALIKE_LINES, _ALIKE_CUTS = 2, 3
# Enough of a file to tell what it is.
_HEAD_BYTES = 8192

MAX_DEPTH = 5
MAX_MEMBERS = 50_000
MAX_MEMBER_BYTES = 64 * 2**20
MAX_TOTAL_BYTES = 512 * 2**20
# Markup compresses 10 to 50 times; beyond this ratio a large member is a bomb.
MAX_RATIO = 250
RATIO_MATTERS_BYTES = 8 * 2**20

TABULAR_KINDS = frozenset({"csv", "xlsx", "xls", "ods"})

_XML_ROOT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)")
_SKIPPED_MARKUP = re.compile(r"<\?.*?\?>|<!--.*?-->", re.DOTALL)
_SDI_SPACE = re.compile(r"fatturapa\.gov\.it/sdi/messaggi|/xsd/fattura/messaggi")
_REMT = re.compile(r":remt\.001\.|<(?:[\w.-]+:)?RmtAdvc\b")
_MAGIC = ((b"%PDF-", "pdf"), (b"\x89PNG", "image"), (b"\xff\xd8\xff", "image"), (b"GIF8", "image"))
_XML_KINDS = {
    "Invoice": "ubl",
    "CreditNote": "ubl",
    "CrossIndustryInvoice": "cii",
    "CrossIndustryDocument": "cii",
    "postacert": "pec-data",
    "xbrl": "xbrl",
    "OFX": "ofx",
}
# The head of a CBI flow: its type, sender and receiver, day. The blank before it is gone by then.
_CBI_HEAD = re.compile(r"(RH|EC|IB)[0-9A-Za-z ]{10}[0-9]{6}")
# The messages camt.052, .053, .054 by their name space or their element, in whatever envelope.
_CAMT = re.compile(r"[:.]camt\.05[234]\b|<(?:[\w.-]+:)?BkToCstmr(?:AcctRpt|Stmt|DbtCdtNtfctn)\b")
# The header of OFX 1; a file without it begins with its first tag, like XML.
_OFX_HEADER = re.compile(r"OFXHEADER\s*:|<OFX>", re.IGNORECASE)
_MT940_FIELD = re.compile(r"^:(20|21|25P?|28C?|13D|34F|6[02][FM]?|61(?=:\d{6})|64|86|90[CD]):", re.MULTILINE)
_PAIN002 = re.compile(r"[:.]pain\.002\b|<(?:[\w.-]+:)?CstmrPmtStsRpt\b|CBISDDStsRpt")
_MT940_NAMES = (".sta", ".mt940", ".mt942", ".940", ".942")
# What tells JSON of ratings from other JSON.
_RATING_KEY = re.compile(
    r'"(?:rating|risk class|risk_class|classe|score|pd|probability_of_default)"\s*:', re.I
)
_MAIL_HEADER = re.compile(rb"[A-Za-z][A-Za-z0-9-]{1,40}:[ \t]")
_MAIL_MARK = re.compile(rb"^(?:MIME-Version|Message-ID|Content-Type|Received|From):", re.I | re.M)
# Files that travel with invoices and hold none: never worth a rejection.
_COMPANION_NAMES = re.compile(
    r"(?:^|/)(?:__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|smime\.p7s$|daticert\.xml$)", re.I
)
_COMPANION_KINDS = frozenset({"pdf", "image", "pec-data"})


@dataclass(frozen=True, slots=True)
class Contained:
    """One document found in a file: its path ("archive.zip/IT01234567890_1.xml.p7m"), its kind, its bytes.

    is_inner: whether it came out of an archive or a message rather than being the file itself.
    in_mail: whether it came out of a message that somebody wrote to us.
    """

    name: str
    kind: str
    data: bytes
    is_inner: bool = False
    in_mail: bool = False


def detect_kind(data: bytes, name: str = "") -> str:
    """The kind of ``data`` by its content; ``name`` decides only between kinds that look alike.

    One of: empty, fatturapa, fatturapa-p7m, p7m, sdi-message, pec-data, ubl, cii, camt, xml, zip, xlsx, xls,
    ods, csv, eml, pdf, image, mt940, ofx, pain.002, remt, edifact,
    cbi-rh, cbi-riba, xbrl, ratings-json, unknown.
    """
    if not data.strip(b"\x00\r\n\t "):
        return "empty"
    if data[:4] == b"PK\x03\x04" or data[:4] == b"PK\x05\x06":
        return _zip_kind(data)
    if is_p7m(data):
        return _p7m_kind(data)
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"\xd0\xcf\x11\xe0":
        return "xls" if name.lower().endswith(".xls") else "unknown"
    return _text_kind(data, name)


def contents_of(data: bytes, name: str) -> tuple[list[Contained], list[tuple[str, Rejection]]]:
    """The documents inside ``data`` (itself, if it is no container) and what could not be opened.

    Rejections come with the path of what they are about.
    """
    rejections: list[tuple[str, Rejection]] = []
    budget = _Budget()
    found = list(_open(data, name, 0, budget, rejections))
    return found, rejections


def read_bytes(data: bytes, name: str) -> list[tuple[str, ReadResult]]:
    """Read every document in ``data``: (path of the document, what it says). Never raises for bad content."""
    found, rejections = contents_of(data, name)
    results = [(document.name, read_contained(document)) for document in found]
    results += [(path, refused(detect_kind(data, name), rejection)) for path, rejection in rejections]
    if not results:
        results.append((name, refused(detect_kind(data, name), Rejection("no_document_found", "", name))))
    return results


def read_file(data: bytes, name: str) -> ReadResult:
    """All of ``data`` as one result (``saldo read``); ``format`` is that of its documents if they agree."""
    results = read_bytes(data, name)
    if len(results) == 1:
        return named_if_inner(name, *results[0])
    formats = {
        result.format
        for _, result in results
        if result.format != "eml" and (result.invoices or not result.rejections)
    }
    format_ = formats.pop() if len(formats) == 1 else detect_kind(data, name)
    return merged(format_, [named_if_inner(name, path, result) for path, result in results])


def named_if_inner(name: str, path: str, result: ReadResult) -> ReadResult:
    """``result`` marked with its path, unless it is the file itself."""
    return result if path == name else named(path, result)


def read_contained(document: Contained) -> ReadResult:
    """Read one document by its kind."""
    kind = document.kind
    if kind == "fatturapa":
        return read_fatturapa(document.data)
    if kind == "camt":
        return read_camt(document.data)
    if kind == "mt940":
        return read_mt940(document.data)
    if kind == pain002.FORMAT:
        return pain002.read_pain002(document.data)
    if kind == "ofx":
        return read_ofx(document.data)
    if kind == cbi_rh.FORMAT:
        return cbi_rh.read_cbi_rh(document.data)
    if kind == cbi_riba.FORMAT:
        return cbi_riba.read_cbi_riba(document.data)
    if kind == financial_statements.FORMAT:
        return financial_statements.read_financial_statements(document.data)
    if kind == "ratings-json":
        return read_ratings_json(document.data, document.name)
    if kind == "sdi-message":
        return read_sdi(document.data, document.name)
    if kind == "remt":
        return read_remt(document.data)
    if kind == "edifact":
        return read_remadv(document.data)
    if kind == "eml":
        # What cannot be taken apart is refused once, by its opener.
        return replace(read_mail(document.data), rejections=())
    if document.in_mail and (advice := _attached_advice(document)):
        return advice
    if kind in _COMPANION_KINDS and document.is_inner:
        return ReadResult(kind, notices=(Notice("companion_not_read", "", document.name, {"kind": kind}),))
    if kind == "pdf":
        return read_pdf(document.data)
    if kind == "pec-data":
        return read_pec_data(document.data)
    if kind in TABULAR_KINDS:
        return refused(kind, Rejection("table_needs_profile", "", document.name))
    if kind == "empty":
        return refused(kind, Rejection("empty_file", "", document.name))
    excerpt = document.data[:120].decode("utf-8", errors="replace")
    return refused(kind, Rejection("format_not_read", "", excerpt, {"kind": kind}))


def _attached_advice(document: Contained) -> ReadResult | None:
    """The remittance advice that an attachment is; None where it is anything else."""
    if document.kind == "pdf":
        return attached_pdf(document.data)
    if document.kind in ("csv", "xlsx"):
        return attached_table(document.data, document.name, document.kind)
    return None


# -- containers ------------------------------------------------------------------------------------------


class _Budget:
    """How many members and bytes may still come out of a file's containers."""

    def __init__(self) -> None:
        self.members_left = MAX_MEMBERS
        self.bytes_left = MAX_TOTAL_BYTES

    def take(self, size: int) -> None:
        self.members_left -= 1
        self.bytes_left -= size
        if self.members_left < 0 or self.bytes_left < 0:
            raise Refusal(_bomb(""))


_Rejections = list[tuple[str, Rejection]]


def _open(
    data: bytes,
    path: str,
    depth: int,
    budget: _Budget,
    rejections: _Rejections,
    in_mail: bool = False,
) -> Iterator[Contained]:
    """The documents in ``data``, depth first; a message is one itself, before those that it carries."""
    kind = "p7m" if is_p7m(data) else detect_kind(data, path)
    opener = _OPENERS.get(kind)
    if opener is None or kind == "eml":
        yield Contained(path, kind, data, is_inner=depth > 0, in_mail=in_mail)
    if opener is None:
        return
    if depth >= MAX_DEPTH:
        rejections.append((path, Rejection("container_too_deep", "", path, {"limit": MAX_DEPTH})))
        return
    # The attachments of a receipt are those of our own message.
    in_mail = in_mail or (kind == "eml" and not is_receipt(data))
    try:
        for inner_path, inner in opener(data, path, budget, rejections):
            yield from _open(inner, inner_path, depth + 1, budget, rejections, in_mail)
    except Refusal as refusal:
        rejections.append((path, refusal.rejection))


def _from_p7m(data: bytes, path: str, budget: _Budget, _: _Rejections) -> Iterator[tuple[str, bytes]]:
    content = open_p7m(data)
    budget.take(len(content))
    # The envelope is no folder: its content keeps the name by which people know the file.
    yield path, content


def _from_zip(
    data: bytes, path: str, budget: _Budget, rejections: _Rejections
) -> Iterator[tuple[str, bytes]]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise Refusal(Rejection("zip_broken", "", path, {"reason": str(error)})) from error
    if len(members) > budget.members_left:
        raise Refusal(_bomb(path))
    for member in members:
        inner_path = f"{path}/{member.filename}"
        if _COMPANION_NAMES.search(inner_path):
            continue
        # Paid before it is opened: thousands of refused members would cost as much as read ones. No more
        # than the stated size ever comes out.
        budget.take(min(member.file_size, MAX_MEMBER_BYTES + 1))
        try:
            content = _member_bytes(archive, member, inner_path)
        except Refusal as refusal:
            rejections.append((inner_path, refusal.rejection))
            continue
        yield inner_path, content


def _member_bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: str) -> bytes:
    if member.flag_bits & 0x1:
        raise Refusal(Rejection("zip_encrypted", "", path))
    try:
        with archive.open(member) as stream:
            content = stream.read(MAX_MEMBER_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
        raise Refusal(Rejection("zip_broken", "", path, {"reason": str(error)})) from error
    ratio = len(content) / max(member.compress_size, 1)
    if len(content) > MAX_MEMBER_BYTES or (len(content) > RATIO_MATTERS_BYTES and ratio > MAX_RATIO):
        raise Refusal(_bomb(path))
    return content


def _from_mail(data: bytes, path: str, budget: _Budget, _: _Rejections) -> Iterator[tuple[str, bytes]]:
    """The attachments of a message and of the messages inside it (a PEC carries the original that way)."""
    for name, content in attached(data):
        inner_path = f"{path}/{name}"
        if _COMPANION_NAMES.search(inner_path):
            continue
        budget.take(len(content))
        yield inner_path, content


def _bomb(path: str) -> Rejection:
    return Rejection("archive_bomb", "", path, {"limit": f"{MAX_TOTAL_BYTES // 2**20} MiB"})


_OPENERS: dict[
    str, Callable[[bytes, str, _Budget, _Rejections], Iterator[tuple[str, bytes]]]
] = {
    "zip": _from_zip,
    "eml": _from_mail,
    "p7m": _from_p7m,
}  # fmt: skip


# -- kinds -----------------------------------------------------------------------------------------------


def _zip_kind(data: bytes) -> str:
    try:
        names = set(zipfile.ZipFile(io.BytesIO(data)).namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return "zip"
    if "[Content_Types].xml" in names and any(name.startswith("xl/") for name in names):
        return "xlsx"
    if "mimetype" in names and "content.xml" in names:
        return "ods"
    return "zip"


def _p7m_kind(data: bytes) -> str:
    try:
        return "fatturapa-p7m" if detect_kind(open_p7m(data)) == FORMAT else "p7m"
    except Refusal:
        return "p7m"


def _text_kind(data: bytes, name: str) -> str:
    text = _head_text(data)
    if text is None:
        return "unknown"
    if _OFX_HEADER.match(text):
        return "ofx"
    if text.startswith("<"):
        return _xml_kind(text, name)
    if text[:1] in ("[", "{") and _RATING_KEY.search(text):
        return "ratings-json"
    if (head := _CBI_HEAD.match(text)) is not None:
        return cbi_riba.FORMAT if head[1] in cbi_riba.HEADS else cbi_rh.FORMAT
    if is_edifact(text):
        return "edifact"
    if _is_mail(data):
        return "eml"
    if _is_mt940(text, name):
        return "mt940"
    return "csv" if _is_table(text) else "unknown"


def _head_text(data: bytes) -> str | None:
    """The beginning of ``data`` as text without padding, None when it is binary."""
    head = data[:_HEAD_BYTES]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return head[: len(head) // 2 * 2].decode("utf-16", errors="replace").lstrip("\ufeff\x00\r\n\t ")
    head = head.lstrip(b"\x00\r\n\t ").removeprefix(b"\xef\xbb\xbf").lstrip(b"\xef\xbb\xbf\x00\r\n\t ")
    for encoding in ("utf-16-le", "utf-16-be"):
        if head.startswith("<?xml".encode(encoding)[1 if encoding == "utf-16-be" else 0 :]):
            return head.replace(b"\x00", b"").decode("latin-1")
    if b"\x00" in head:
        return None
    return head.decode("windows-1252", errors="replace")


def _xml_kind(text: str, name: str) -> str:
    root = _XML_ROOT.search(_SKIPPED_MARKUP.sub("", text))
    tag = root.group(1) if root else ""
    if tag.startswith("FatturaElettronica"):
        return FORMAT
    if tag in TYPE_BY_ROOT or _SDI_SPACE.search(text):
        return "sdi-message"
    if _REMT.search(text):
        return "remt"
    if _CAMT.search(text):
        return "camt"
    if _PAIN002.search(text):
        return pain002.FORMAT
    if tag.lower() == "html":
        return "unknown"
    return _XML_KINDS.get(tag, "xml")


def _is_mt940(text: str, name: str) -> bool:
    """Whether lines begin with two fields of MT940 or MT942, or with a :61: and its date.

    One field is enough where the name says it: what a cut or empty statement still has.
    """
    fields = _MT940_FIELD.findall(text.replace("\r", "\n"))
    if fields and name.lower().endswith(_MT940_NAMES):
        return True
    return len(set(fields)) > 1 or any(field.startswith("61") for field in fields)


def _is_mail(data: bytes) -> bool:
    head = data[:16384].lstrip()
    return bool(_MAIL_HEADER.match(head)) and len(_MAIL_MARK.findall(head)) >= 2


def _is_table(text: str) -> bool:
    """Whether the first lines are cut by the same delimiter, or are a table below some lines of text."""
    lines = [line for line in text.splitlines()[:20] if line.strip()]
    printable = sum(character.isprintable() or character in "\r\n\t" for character in text[:4096])
    if not lines or printable < 0.98 * len(text[:4096]):
        return False
    if any(all(delimiter in line for line in lines[:2]) for delimiter in ";\t,|"):
        return True
    # Below a letterhead: lines that the same delimiter cuts into as many cells.
    for delimiter in ";\t,|":
        counts = Counter(line.count(delimiter) for line in lines)
        if any(times >= _ALIKE_LINES for cuts, times in counts.items() if cuts >= _ALIKE_CUTS):
            return True
    return False
