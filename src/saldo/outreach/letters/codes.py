"""The QR code for a transfer (EPC069-12): read by a banking app, it fills in payee, IBAN, amount and text."""

from __future__ import annotations

from dataclasses import dataclass

import segno
from stdnum import iban as iban_number

from saldo.core.message_facts import MessageFacts, remittance_text, spaced_iban
from saldo.core.money import from_mills
from saldo.core.words import money_text

# The standard's bounds: euro only, 0.01 to 999,999,999.99, payee of 70 and text of 140 characters.
_MIN_MILLS, _MAX_MILLS = 10, 999_999_999_990
_PAYEE, _TEXT = 70, 140


@dataclass(frozen=True, slots=True)
class Transfer:
    """What the code says. mills are whole cents."""

    payee: str
    iban: str
    bic: str
    mills: int
    text: str


@dataclass(frozen=True, slots=True)
class PaymentCode:
    """An image of the code as SVG, its words for who cannot see it, and what stands beside it."""

    svg: str
    alt: str
    lines: tuple[str, ...]


def transfer_of(facts: MessageFacts, language: str) -> Transfer | None:
    """The transfer that pays what a message asks; None where no code can say it."""
    sender, mills = facts.sender, facts.total_mills
    iban = sender.iban.replace(" ", "").upper()
    possible = facts.currency == "EUR" and _MIN_MILLS <= mills <= _MAX_MILLS and not mills % 10
    if not possible or not iban_number.is_valid(iban):
        return None
    text = remittance_text(facts, language, _TEXT)
    return Transfer(sender.name[:_PAYEE], iban, sender.bic.upper(), mills, text)


def epc_text(transfer: Transfer) -> str:
    """What the code says, line by line (EPC069-12 version 002, UTF-8)."""
    amount = f"{from_mills(transfer.mills):f}".rstrip("0").rstrip(".")
    lines = ("BCD", "002", "1", "SCT", transfer.bic, transfer.payee, transfer.iban, f"EUR{amount}", "", "",
             transfer.text)  # fmt: skip
    return "\n".join(lines)


def code_of(transfer: Transfer, language: str) -> PaymentCode:
    """The code as SVG, and the same data in words beside it."""
    made = segno.make_qr(epc_text(transfer), error="m", boost_error=False, encoding="utf-8")
    italian = language == "it"
    words = ("Beneficiario", "Importo", "Causale") if italian else ("Payee", "Amount", "Remittance text")
    how = (
        "Per pagare inquadrate il codice con l'app della Vostra banca."
        if italian
        else "To pay, scan the code with your bank's app."
    )
    lines = (
        how,
        f"{words[0]}: {transfer.payee}",
        f"IBAN: {spaced_iban(transfer.iban)}",
        f"{words[1]}: {money_text(transfer.mills, 'EUR', language)}",
        f"{words[2]}: {transfer.text}",
    )
    alt = "Codice QR per il bonifico" if italian else "QR code for the transfer"
    return PaymentCode(made.svg_inline(border=2), alt, lines)
