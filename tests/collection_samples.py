"""Slips and direct debits with invented names, as the tests of the writers need them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from saldo.formats.riba_slip import SlipHead, SlipReceipt
from saldo.formats.sepa_debit import Debit, DebitHead

OUR_IBAN = "IT96A9999111200000000555001"
THEIR_IBAN = "IT05A9999501600000000000042"
GERMAN_IBAN = "DE89370400440532013000"

SLIP = SlipHead(
    sia="AB012", abi="99991", cab="11200", account="000000555001", created_date=date(2026, 3, 2),
    name="SALDO-0000000001",
    creditor=("Officine Esempio Società per Azioni", "Via dell'Esempio 1", "00100 Roma"),
    creditor_tax_code="07771000150",
)  # fmt: skip
RECEIPT = SlipReceipt(
    receipt="17", due_date=date(2026, 4, 30), amount_cents=123_456,
    debtor_name="Caffè Però & Figli S.n.c. di Esempio Inventato Commercio all'Ingrosso",
    debtor_tax_code="07771010159", debtor_abi="99995", debtor_cab="01600", debtor_code="C0042",
    debtor_address="Piazza Sant'Ugo 7", debtor_zip="20100", debtor_city="Milano", debtor_province="MI",
    debtor_bank="Banca Inventata", debt_reference="FATT. 12/26 DEL 28/02/2026 RATA 1",
)  # fmt: skip
RECEIPTS = [
    RECEIPT,
    replace(
        RECEIPT, receipt="18", amount_cents=1, due_date=date(2026, 5, 31), debtor_name="Zoë Ltd",
        debtor_bank="", debtor_code="", debt_reference="FATT. 13/26 DEL 28/02/2026 RATA 1",
    ),
]  # fmt: skip
DEBITS_HEAD = DebitHead(
    message_id="SALDO-SDD-0000001", created_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
    name="Officine Esempio Società per Azioni", iban=OUR_IBAN, bic="IMMGIT2XXXX",
    creditor_id="IT90ZZZ07770001018",
)  # fmt: skip
DEBIT = Debit(
    end_to_end_id="R000000042", amount_cents=250_075, collection_date=date(2026, 3, 31), scheme="CORE",
    sequence="RCUR", mandate_id="OFF-M0001", mandate_date=date(2025, 1, 15), name="Caffè Però & Figli S.n.c.",
    iban=THEIR_IBAN, text="FATT. 12/26 DEL 28/02/2026 RATA 1",
)  # fmt: skip
DEBITS = [
    DEBIT,
    replace(DEBIT, end_to_end_id="R000000043", amount_cents=99, scheme="B2B", mandate_id="OFF-B0002"),
    replace(DEBIT, end_to_end_id="R000000044", amount_cents=100_000, iban=GERMAN_IBAN, bic="COBADEFFXXX"),
    replace(DEBIT, end_to_end_id="R000000045", amount_cents=50_000, collection_date=date(2026, 4, 30)),
]
