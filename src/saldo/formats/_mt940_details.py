"""Field :86: of MT940 and MT942: what the bank says about a line, in the ways banks structure it.

Three ways: German sub-fields ("166?00GUTSCHRIFT?20EREF+…?32NAME"), with SEPA keywords inside ?20 to ?29;
slash codes ("/EREF/…/REMI/…/ORDP//NAME/…"); plain text. The library's own reading of sub-fields is not used:
it drops text that stands before the first keyword, a repeated sub-field, and text after a literal "?".

Source: Deutsche Kreditwirtschaft, annex 3 of the DFÜ agreement (sub-fields, keywords); SWIFT usage of field
86 with code words; both differ by bank, so that an unknown code is kept and never an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from saldo.core.money import InexactAmount
from saldo.formats._bank_checks import StatedAmount, one_line, reference

# A sub-field holds 27 characters. A shorter one ends where its text ends; a full one goes on in the next.
SUBFIELD_WIDTH = 27
LINE_WIDTH = 65

_STRUCTURED = re.compile(r"\s*(\d{3})([?~<^|&!])(?=\d\d)")
_KEYWORD = re.compile(
    r"(EREF|KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|IBAN|BIC ?|PURP|MDAT|SQTP|ORCR|ORMR|DDAT|COAM|OAMT|RREF|RCAT)"
    r"(?:\+|: )"
)
_SLASH_CODES = (
    "ADDR|ACCW|BENM|BIC|BUSP|CHGS|CNTP|CREF|CSID|DACC|EREF|EXCH|IBAN|ID|INIT|IREF|ISDT|KREF|MARF|MREF|NAME"
    "|NRTX|OAMT|OCMT|ORDP|PHON|PREF|PURP|REFE|REMI|RTRN|SVCL|SWOC|TRCD|TRTP|TYPE|ULTB|ULTC|ULTD|ULTP|UREF"
)
_SLASH = re.compile(rf"/({_SLASH_CODES})/")
# Business transaction codes of returned direct debits and transfers: ?34 is the reason then.
_RETURNS = frozenset({"108", "109", "159"})
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_FOREIGN = re.compile(r"/OCMT/([A-Z]{3})([0-9,]+)")
_CHARGES = re.compile(r"/CHGS/([A-Z]{3})([0-9,]+)")


@dataclass(slots=True)
class Details:
    """What an :86: says; remittance: the text for the receiver; codes: each sub-field and code as written."""

    remittance: str = ""
    name: str | None = None
    iban: str | None = None
    bic: str | None = None
    ultimate_name: str | None = None
    end_to_end_id: str | None = None
    customer_reference: str | None = None
    mandate_id: str | None = None
    return_reason: str | None = None
    return_text: str | None = None
    codes: dict[str, str] = field(default_factory=dict)


def details_of(lines: list[str], width: int = LINE_WIDTH) -> Details:
    """Read the lines of one :86:. Never raises."""
    structured = _STRUCTURED.match("".join(lines))
    if structured:
        return _subfields("".join(lines), structured.group(1), structured.group(2))
    text = _rejoined(lines, width)
    if _SLASH.match(text.lstrip()) or len(_SLASH.findall(text)) > 1:
        return _slashes(text.strip())
    return Details(remittance=one_line(text))


def foreign_amounts(text: str, currency: str) -> tuple[StatedAmount | None, int]:
    """(amount instructed in another currency, charges in mills of ``currency``) from /OCMT/ and /CHGS/."""
    original = _amount_in(_FOREIGN.search(text))
    charges = _amount_in(_CHARGES.search(text))
    if original is not None and original.currency == currency:
        original = None
    return original, charges.mills if charges is not None and charges.currency == currency else 0


def mills_of(text: str) -> int:
    """Unsigned mills of "1234,5". Raises InexactAmount for more than three decimals or no number."""
    whole, _, decimals = text.partition(",")
    decimals = decimals.rstrip("0")
    if not whole.isdecimal() or not whole.isascii() or len(whole) > 15 or len(decimals) > 3:
        raise InexactAmount(text)
    if decimals and not (decimals.isdecimal() and decimals.isascii()):
        raise InexactAmount(text)
    return int(whole) * 1000 + int(decimals.ljust(3, "0"))


def _amount_in(match: re.Match[str] | None) -> StatedAmount | None:
    if match is None:
        return None
    try:
        mills = mills_of(match.group(2))
    except InexactAmount:
        return None
    return StatedAmount(mills, match.group(1)) if mills else None


def _rejoined(lines: list[str], width: int) -> str:
    """Lines of full width run on; a shorter one ends a word."""
    return "".join(line if len(line) >= width else f"{line} " for line in lines)


# -- sub-fields ------------------------------------------------------------------------------------------


def _subfields(text: str, transaction_code: str, mark: str) -> Details:
    parts = re.split(rf"{re.escape(mark)}(?=\d\d)", text)
    found: dict[str, list[str]] = {}
    for part in parts[1:]:
        found.setdefault(part[:2], []).append(part[2:])
    codes = {"gvc": transaction_code}
    codes |= {key: one_line(*values) for key, values in found.items() if not key.startswith(("2", "6"))}
    details = Details(codes={key: value for key, value in codes.items() if value})
    purpose, more = (
        _rejoined([value for key in found if key[0] == digit for value in found[key]], SUBFIELD_WIDTH)
        for digit in "26"
    )
    # ?60 to ?63 continue ?29; behind a shorter purpose they are a text of their own.
    _keywords(purpose + more if "29" in found else purpose, details)
    if "29" not in found:
        details.remittance = one_line(details.remittance, more)
    if transaction_code in _RETURNS:
        details.return_reason = reference(details.codes.get("34"))
    names = [value for key in ("32", "33") for value in found.get(key, [])]
    details.name = one_line(_rejoined(names, SUBFIELD_WIDTH)) or None
    account = "".join(found.get("31", [])).replace(" ", "")
    alternative = "".join(found.get("38", [])).replace(" ", "")
    details.iban = next((one for one in (account, alternative) if _IBAN.fullmatch(one)), details.iban)
    bank = "".join(found.get("30", [])).strip()
    if _BIC.fullmatch(bank):
        details.bic = bank
    if not details.remittance:
        details.remittance = one_line(*found.get("00", []))
    return details


def _keywords(text: str, details: Details) -> None:
    """The SEPA keywords in ``text``; what stands before the first one is text too."""
    parts = _KEYWORD.split(text)
    values: dict[str, str] = {}
    for key, value in zip(parts[1::2], parts[2::2], strict=True):
        # Banks repeat keywords in an abridged form behind the full ones: the first one holds.
        values.setdefault(key.strip(), value.strip())
    details.codes |= {key: value for key, value in values.items() if value}
    details.remittance = one_line(parts[0], values.get("SVWZ"))
    details.return_text = one_line(text.partition("MTLG:")[2]) or None
    details.end_to_end_id = _joined_reference(values.get("EREF"))
    details.customer_reference = _joined_reference(values.get("KREF"))
    details.mandate_id = _joined_reference(values.get("MREF"))
    details.ultimate_name = values.get("ABWA") or values.get("ABWE") or None
    iban = (values.get("IBAN") or "").split(" ")[0]
    details.iban = iban if _IBAN.fullmatch(iban) else None
    bic = (values.get("BIC") or "").split(" ")[0]
    details.bic = bic if _BIC.fullmatch(bic) else None


def _joined_reference(text: str | None) -> str | None:
    """A reference ends at a note of the bank ("MTLG:…") that follows it."""
    return reference((text or "").partition("MTLG:")[0])


# -- slash codes -----------------------------------------------------------------------------------------


def _slashes(text: str) -> Details:
    parts = _SLASH.split(text)
    values: dict[str, str] = {}
    for key, value in zip(parts[1::2], parts[2::2], strict=True):
        clean = one_line(value).strip("/ ")
        if clean and key not in values:
            values[key] = clean
    party = [*values.get("CNTP", "").split("/"), "", "", ""]
    remittance = values.get("REMI", "")
    for kind in ("USTD//", "USTD/", "STRD/CUR/", "STRD/"):
        remittance = remittance.removeprefix(kind)
    side = values.get("ORDP") or values.get("BENM")
    iban = (values.get("IBAN") or party[0]).replace(" ", "")
    bic = values.get("BIC") or party[1]
    return Details(
        remittance=one_line(parts[0].strip("/ "), remittance) or one_line(values.get("TRTP")),
        name=one_line(values.get("NAME") or party[2] or side) or None,
        iban=iban if _IBAN.fullmatch(iban) else None,
        bic=bic if _BIC.fullmatch(bic) else None,
        ultimate_name=one_line(values.get("ULTD") or values.get("ULTC") or values.get("ULTB")) or None,
        end_to_end_id=reference(values.get("EREF")),
        customer_reference=reference(values.get("KREF") or values.get("PREF")),
        mandate_id=reference(values.get("MARF") or values.get("MREF")),
        return_reason=reference(values.get("RTRN")),
        codes=values,
    )


# -- non-SWIFT fields ------------------------------------------------------------------------------------


def non_swift_details(lines: list[str]) -> Details:
    """An :NS: of a line: 01 to 14 text, 15 and 16 name of the other side, further codes as written."""
    found: dict[str, str] = {}
    for line in lines:
        if not (line[:2].isdecimal() and line[:2].isascii()):
            return Details(remittance=one_line(*lines))
        found[line[:2]] = line[2:].strip()
    return Details(
        remittance=one_line(*(found.get(f"{number:02}") for number in range(1, 15))),
        name=one_line(found.get("15"), found.get("16")) or None,
        codes={f"NS{key}": value for key, value in found.items() if value},
    )
