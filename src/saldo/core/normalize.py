"""Spellings of the same thing made equal: names, document numbers, customer codes, VAT numbers.

All of it is pure text to text. Nothing here decides that two things *are* the same: it makes keys, and
who compares them says what equality of a key is worth. ``docs/rules/document-numbers.md`` has the rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from stdnum import get_cc_module
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError
from stdnum.it import codicefiscale

# Letters that Unicode does not decompose into a base letter and an accent.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe",
     "\N{LATIN SMALL LETTER DOTLESS I}": "i"}
)  # fmt: skip
_ORDINAL_MARKS = str.maketrans("º°ª", "   ")
# "s.p.a.", "S.r.l", "A.B.C." are one word each; a lone initial ("C.") only loses its full stop.
_DOTTED = re.compile(r"(?<!\w)(?:[^\W\d_]\.)+[^\W\d_]?(?!\w)")
_NOT_WORD = re.compile(r"[\W_]+")
_GROUPS = re.compile(r"[^\W\d_]+|\d+")
# What an address or a list puts before a company's name.
_SALUTATIONS = ("spett le ditta", "spettle ditta", "spett ditta", "spett le",
                "spettle", "spett", "ditta", "the")  # fmt: skip


def folded(text: str) -> str:
    """``text`` case-folded and without accents; its punctuation and spaces are left as they are."""
    if text.isascii():
        return text.lower()
    for _ in range(2):  # folding can make decomposable letters, and the reverse: twice is a fixed point
        text = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(c for c in text if unicodedata.category(c) != "Mn")
    return plain.translate(_LETTERS)


def search_text(name: str) -> str:
    """A name as it is searched: folded, dotted abbreviations joined, other punctuation one space.

    "Società Agricola D'Angelo & C. S.r.l." -> "societa agricola d angelo c srl". Idempotent.
    """
    joined = folded(name)
    if "." in joined:
        joined = _DOTTED.sub(lambda match: match.group().replace(".", ""), joined)
    return _NOT_WORD.sub(" ", joined).strip()


def sort_name(name: str) -> str:
    """A name as it is sorted: its search text without a leading "Spett.le", "Ditta" or "The"."""
    text = search_text(name)
    for salutation in _SALUTATIONS:
        if text.startswith(salutation + " "):
            return text[len(salutation) + 1 :]
    return text


# --- document numbers -------------------------------------------------------------------------------


def _ascii_digits(digits: str) -> str:
    return "".join(str(unicodedata.decimal(digit)) for digit in digits)


def _number_groups(text: str) -> list[str]:
    """Runs of letters and runs of digits (leading zeros stripped), in order."""
    groups = _GROUPS.findall(folded(text.translate(_ORDINAL_MARKS)))
    return [(_ascii_digits(group).lstrip("0") or "0") if group.isdecimal() else group for group in groups]


def _joined(groups: list[str]) -> str:
    """Groups put together, with "/" only between two numbers: there the border carries meaning."""
    text = ""
    for group in groups:
        text += ("/" if text and text[-1].isdigit() and group[0].isdigit() else "") + group
    return text


def normalized_number(text: str) -> str:
    """The key of a document number: same number, same key, whoever typed it.

    Folded; separators removed, but "/" put between two adjoining numbers, so that "1/12" is not "112";
    leading zeros stripped from each number; prefix letters and the year kept as written.
    "FT 0012/2026" and "ft-12/2026" -> "ft12/2026"; "12/2026" -> "12/2026". Empty if it has no letter or
    digit. Idempotent.
    """
    return _joined(_number_groups(text))


@dataclass(frozen=True, slots=True)
class NumberParts:
    """A document number taken apart: leading letters, the number proper, and the year if one is written."""

    prefix: str
    body: str
    year: int | None


def _year_of(group: str, document_date: date | None) -> int | None:
    """The year that a numeric group stands for, or None.

    Four digits from 1990 to 2099. With the document's date: only a year at most one away from it, and
    then two digits are taken for a year too.
    """
    if not group.isdigit():
        return None
    value = int(group) if len(group) <= 4 else 0
    if document_date is None:
        return value if 1990 <= value <= 2099 else None
    if len(group) <= 2:
        value += document_date.year // 100 * 100
    return value if abs(value - document_date.year) <= 1 else None


def number_parts(text: str, document_date: date | None = None) -> NumberParts:
    """Prefix, body and year of a document number. The year is its last numeric group, or else its first,
    and only where another numeric group remains: "2026/00012" -> ("", "12", 2026); "2026" -> ("", "2026",
    None)."""
    groups = _number_groups(text)
    numeric = [i for i, group in enumerate(groups) if group.isdigit()]
    year: int | None = None
    if len(numeric) > 1:
        for position in (numeric[-1], numeric[0]):
            year = _year_of(groups[position], document_date)
            if year is not None:
                del groups[position]
                break
    prefix_groups = 0
    while prefix_groups < len(groups) and not groups[prefix_groups].isdigit():
        prefix_groups += 1
    return NumberParts("".join(groups[:prefix_groups]), _joined(groups[prefix_groups:]), year)


def numbers_relation(left: str, right: str, document_date: date | None = None) -> str:
    """How two document numbers relate: "same", "compatible" or "different".

    same: equal keys. compatible: equal bodies, and neither prefixes nor years contradict each other (one
    of the two may lack them): "FT 12/2026", "12/2026", "2026-0012" and "12" are compatible with each
    other. It is evidence to weigh, not an equivalence: "FT 12" and "NC 12" are both compatible with "12"
    and different from each other.
    """
    key = normalized_number(left)
    if key and key == normalized_number(right):
        return "same"
    a, b = number_parts(left, document_date), number_parts(right, document_date)
    agree = a.body == b.body != "" and (not a.prefix or not b.prefix or a.prefix == b.prefix)
    if agree and (a.year is None or b.year is None or a.year == b.year):
        return "compatible"
    return "different"


# --- codes of parties -------------------------------------------------------------------------------


def customer_code(text: str) -> str:
    """The key of an ERP customer number: upper case, spaces collapsed, and no leading zeros if it is
    wholly numeric ("0200769623" -> "200769623", "C0012" stays). Empty for blank text."""
    code = " ".join(text.split()).upper()
    return (code.lstrip("0") or "0") if code.isascii() and code.isdigit() else code


def _compact(text: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).upper()


@lru_cache(maxsize=512)
def _vat_check(country: str) -> Callable[[str], bool] | None:
    """The check of a country outside the EU, or None where there is none."""
    known = len(country) == 2 and country.isascii() and country.isalpha()
    module = get_cc_module(country, "vat") if known else None
    return module.is_valid if module else None


def _valid_in(prefix: str, digits: str) -> bool:
    if prefix.lower() in eu_vat.MEMBER_STATES or prefix == "EL":
        return bool(eu_vat.is_valid(prefix + digits))
    check = _vat_check(prefix)
    return check is not None and (check(digits) or check(prefix + digits))


def is_valid_vat(number: str) -> bool:
    """Whether a VAT number with its country prefix has the right form and check digit (offline)."""
    compact = _compact(number)
    return _valid_in(compact[:2], compact[2:])


def vat_number(text: str, country: str = "IT") -> str:
    """A VAT number with its country prefix, compact and upper case; empty for blank text.

    country: ISO code of the party, used where the text has no valid prefix of its own. Greece is "EL".
    An Italian number that lost its leading zeros in a spreadsheet gets them back when its check digit
    then holds. A number that is not valid is kept, not dropped: ask ``is_valid_vat``.
    """
    compact = _compact(text)
    if not compact:
        return ""
    if compact.startswith("GR") and _valid_in("EL", compact[2:]):
        compact = "EL" + compact[2:]
    prefix = "EL" if country.upper() == "GR" else country.upper()
    if compact.startswith(prefix) or is_valid_vat(compact):
        prefix, compact = compact[:2], compact[2:]
    if prefix == "IT" and compact.isdigit() and len(compact) < 11 and _valid_in("IT", compact.zfill(11)):
        compact = compact.zfill(11)
    return prefix + compact


def tax_code(text: str) -> str:
    """An Italian tax code (codice fiscale of a person or a body), compact and upper case."""
    return _compact(text)


def is_valid_tax_code(text: str) -> bool:
    """Whether it is a valid codice fiscale: sixteen characters, or eleven digits for a body."""
    try:
        return bool(codicefiscale.validate(_compact(text)))
    except ValidationError:
        return False
