"""A world made by hand: two companies, five customers, every kind of payment, return, message and reply.

For the tests of the writers: small enough to know every figure, independent of the generator.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from saldo.simulation.world import tables
from saldo.simulation.world.tables import Tables

D = date


def frame(schema: tables.Schema, *rows: dict[str, Any]) -> pl.DataFrame:
    """Rows by name; what a row leaves out is null, "" in texts, 0 in cents."""
    filled = [{name: row.get(name, _absent(name, kind)) for name, kind in schema.items()} for row in rows]
    return pl.DataFrame(filled, schema=schema)


_NULLABLE_TEXT = frozenset({"return_reason", "reason"})


def _absent(name: str, kind: Any) -> Any:
    if kind == pl.String and name not in _NULLABLE_TEXT:
        return ""
    if name.endswith("_cents") and name != "promise_cents":
        return 0
    return None


def hand_tables() -> Tables:
    companies = frame(
        tables.COMPANIES,
        {"company_id": 0, "code": "AURELIA", "name": "Officine Aurelia S.p.A.", "vat": "IT99004170173",
         "tax_code": "99004170173", "address": "Via dell'Invenzione 12", "zip": "25125", "city": "Brescia",
         "province": "BS", "erp": "full", "sia": "9AB01", "creditor_id": "IT69ZZZ0000099004170173",
         "email": "crediti@aurelia.test", "pec": "aurelia@pec.aurelia.test", "products": "meccanica"},
        {"company_id": 1, "code": "TIBERIA", "name": "Tiberia Componenti S.r.l.", "vat": "IT99005180205",
         "tax_code": "99005180205", "address": "Strada dei Ponti 48", "zip": "20900", "city": "Monza",
         "province": "MB", "erp": "delta", "sia": "9AB02", "creditor_id": "IT76ZZZ0000099005180205",
         "email": "crediti@tiberia.test", "pec": "tiberia@pec.tiberia.test", "products": "componenti"},
    )  # fmt: skip
    banks = frame(
        tables.BANKS,
        _bank(
            0, 0, "Banca Immaginaria", "99991", "11200", "000000555001", "IMMGIT2XXXX", "camt053", 12_345_67
        ),
        _bank(1, 0, "Cassa Inventata", "99992", "11201", "000000555002", "CSINIT2XXXX", "rh", 5_000_00),
        _bank(2, 1, "Banco Fittizio", "99993", "20400", "000000777001", "BFITIT2XXXX", "mt940", 800_00),
        _bank(3, 1, "Banca Immaginaria", "99991", "20401", "000000777002", "IMMGIT2XXXX", "camt053", 0),
    )
    customers = frame(
        tables.CUSTOMERS,
        _customer(0, "Meccanica Valdora S.p.A.", "IT99123450175", parent_id=None),
        _customer(1, "Edil Brentolia S.r.l.", "IT99123460174", parent_id=0, paid_by=0),
        _customer(2, "Comune di Casalverna", "", special="public_body", sdi_code="UF9XYZ",
                  tax_code="99000010175"),
        _customer(3, "Condominio Riosordo", "", special="condominium", tax_code="99000020174"),
        _customer(4, "Metallbau Ferralli GmbH", "DE999111223", country="DE", language="en", tax_code="",
                  sdi_code="XXXXXXX", pec=""),
    )  # fmt: skip
    contacts = frame(
        tables.CONTACTS,
        *(
            {"customer_id": n, "name": f"Anna Ferralli {n}", "role": "Contabilità fornitori",
             "email": f"anna.ferralli@cliente{n}.test", "phone": f"+39 030 555 000{n}",
             "left_date": D(2026, 3, 1) if n == 1 else None}
            for n in range(5)
        ),
    )  # fmt: skip
    payer_banks = frame(
        tables.PAYER_BANKS,
        *(
            {"customer_id": n, "from_date": D(2025, 1, 1), "iban": iban, "bic": "IMMGIT2XXXX", "abi": "99994",
             "cab": "11000", "bank_name": "Banca dei Clienti"}
            for n, iban in enumerate(
                ("IT47X9999411000000000123456", "IT42X9999411000000000223456", "IT37X9999411000000000323456",
                 "IT32X9999411000000000423456", "DE81999994110000012345")
            )
        ),
    )  # fmt: skip
    accounts = frame(
        tables.ACCOUNTS,
        _account(0, 0, 0, "001001", "RiBa 30/60/90 gg DFFM", "riba"),
        _account(1, 0, 1, "001002", "30 gg DFFM", "transfer"),
        _account(2, 0, 2, "001003", "30 gg DF", "transfer"),
        _account(3, 0, 3, "001004", "30 gg DF", "transfer"),
        _account(4, 1, 0, "0010012345", "30 gg DF", "sdd", scheme="CORE", mandate_id="TIB-000004",
                 mandate_date=D(2025, 1, 10)),
        _account(5, 1, 4, "0010012346", "60 gg DF", "transfer"),
    )  # fmt: skip
    invoices = frame(
        tables.INVOICES,
        _invoice(0, 0, "1/26", D(2026, 1, 15), 3_000_00, order_number="ODA 12345"),
        _invoice(1, 1, "2/26", D(2026, 1, 20), 1_000_00),
        _invoice(2, 1, "3/26", D(2026, 1, 22), 200_01),
        _invoice(3, 2, "4/26", D(2026, 1, 26), 500_00, split_vat_cents=110_00),
        _invoice(4, 3, "5/26", D(2026, 1, 27), 100_00, withholding_cents=4_00),
        _invoice(5, 4, "9000001", D(2026, 1, 15), 700_00),
        _invoice(6, 5, "9000002", D(2026, 1, 16), 2_500_00, vat_rate=0.0),
        _invoice(7, 1, "NC 1/26", D(2026, 2, 10), 100_00, kind="credit_note", related_id=1, reason="price"),
    )
    installments = frame(
        tables.INSTALLMENTS,
        _installment(0, 0, 0, 1, D(2026, 2, 28), 1_220_00),
        _installment(1, 0, 0, 2, D(2026, 3, 31), 1_220_00),
        _installment(2, 0, 0, 3, D(2026, 4, 30), 1_220_00),
        _installment(3, 1, 1, 1, D(2026, 2, 28), 1_220_00),
        _installment(4, 2, 1, 1, D(2026, 2, 28), 244_01),
        _installment(5, 3, 2, 1, D(2026, 2, 25), 610_00, cash_cents=500_00),
        _installment(6, 4, 3, 1, D(2026, 2, 26), 122_00, cash_cents=118_00),
        _installment(7, 5, 4, 1, D(2026, 2, 14), 854_00),
        _installment(8, 6, 5, 1, D(2026, 3, 17), 2_500_00),
        _installment(9, 7, 1, 1, D(2026, 2, 10), -122_00),
    )
    orders = frame(
        tables.ORDERS,
        {"order_id": 0, "account_id": 0, "number": "ODA 12345", "date": D(2026, 1, 5),
         "delivery_date": D(2026, 1, 14), "total_cents": 3_660_00, "invoice_id": 0},
        {"order_id": 1, "account_id": 5, "number": "PO-77", "date": D(2026, 2, 20),
         "delivery_date": D(2026, 3, 20), "total_cents": 1_000_00},
    )  # fmt: skip
    payments = frame(
        tables.PAYMENTS,
        # The parent pays two invoices of its subsidiary, less a credit note.
        _payment(0, 0, 0, "transfer", D(2026, 3, 2), 1_342_01, payer_id=0,
                 payer_name="MECCANICA VALDORA SPA", payer_iban="IT47X9999411000000000123456",
                 text="SALDO FATT. 2/26 E 3/26 - NC 1/26", end_to_end="VALDORA-0001"),
        _payment(1, 0, 1, "riba", D(2026, 2, 28), 1_220_00, batch_id=0, text="DISTINTA RIBA 0"),
        _payment(2, 0, 1, "riba_return", D(2026, 3, 4), -1_220_00, batch_id=0, returns_id=0,
                 return_reason="30010", text="INSOLUTO RIBA 1/26"),
        _payment(3, 0, 1, "fee", D(2026, 3, 4), -6_50, text="COMMISSIONI INSOLUTO"),
        _payment(4, 1, 3, "sdd", D(2026, 2, 16), 854_00, batch_id=1, text="SDD CORE 1"),
        _payment(5, 1, 3, "sdd_return", D(2026, 2, 19), -854_00, batch_id=1, returns_id=1,
                 return_reason="AM04", payer_id=0, payer_name="MECCANICA VALDORA SPA",
                 payer_iban="IT47X9999411000000000123456", end_to_end="TIB-9000001-1"),
        _payment(6, 1, 2, "transfer", D(2026, 3, 18), 2_487_50, payer_id=4, charges_cents=12_50,
                 payer_name="Metallbau Ferralli GmbH", payer_iban="DE81999994110000012345",
                 text="Invoice 9000002", faults=["charges_withheld"]),
        _payment(7, 0, 0, "transfer", D(2026, 3, 3), 118_00, payer_id=3, payer_name="CONDOMINIO RIOSORDO",
                 payer_iban="IT32X9999411000000000423456", creditor_reference="RF18539007547034", text=""),
        _payment(8, 0, 0, "transfer", D(2026, 3, 3), 118_00, payer_id=3, payer_name="CONDOMINIO RIOSORDO",
                 payer_iban="IT32X9999411000000000423456", text="Fattura 5/26 à saldo", faults=["duplicate"]),
    )  # fmt: skip
    lines = frame(
        tables.PAYMENT_LINES,
        _line(0, 3, "paid", 1_220_00), _line(0, 4, "paid", 244_01), _line(0, 9, "credit", -122_00),
        _line(1, 0, "paid", 1_220_00), _line(2, 0, "paid", -1_220_00), _line(4, 7, "paid", 854_00),
        _line(5, 7, "paid", -854_00), _line(6, 8, "paid", 2_487_50), _line(6, 8, "charges", 12_50),
        _line(7, 6, "paid", 118_00), _line(8, 6, "duplicate", 118_00),
    )  # fmt: skip
    postings = frame(
        tables.POSTINGS,
        _posting(3, D(2026, 3, 3), D(2026, 3, 2), 1_220_00, "payment", 0),
        _posting(4, D(2026, 3, 3), D(2026, 3, 2), 244_01, "payment", 0),
        _posting(9, D(2026, 3, 3), D(2026, 3, 2), -122_00, "credit", 0),
        _posting(0, D(2026, 2, 28), D(2026, 2, 28), 1_220_00, "payment", 1),
        _posting(0, D(2026, 3, 5), D(2026, 3, 4), -1_220_00, "return", 2),
        _posting(7, D(2026, 2, 17), D(2026, 2, 16), 854_00, "payment", 4),
        _posting(7, D(2026, 2, 20), D(2026, 2, 19), -854_00, "return", 5),
        _posting(8, D(2026, 3, 19), D(2026, 3, 18), 2_487_50, "payment", 6),
        _posting(6, D(2026, 3, 4), D(2026, 3, 3), 118_00, "payment", 7),
    )
    receipts = frame(
        tables.RECEIPTS,
        _receipt(0, "riba", 0, 0, 0, 1, D(2026, 2, 28), 1_220_00, D(2026, 3, 4), "30010"),
        _receipt(1, "sdd", 7, 4, 1, 3, D(2026, 2, 16), 854_00, D(2026, 2, 19), "AM04"),
        _receipt(2, "riba", 1, 0, 2, 1, D(2026, 3, 31), 1_220_00, None, None),
    )
    remittances = frame(
        tables.REMITTANCES,
        *({"remittance_id": n, "payment_id": 0, "medium": medium, "sent_date": D(2026, 3, 2)}
          for n, medium in enumerate(("mail", "pdf", "xlsx", "iso20022"))),
    )  # fmt: skip
    messages = frame(
        tables.MESSAGES,
        _message(0, 1, D(2026, 3, 9), "email", "soft", [3]),
        _message(1, 5, D(2026, 3, 20), "email", "firm", [8]),
        _message(2, 0, D(2026, 5, 20), "pec", "formal", [0, 1]),
        _message(3, 0, D(2026, 5, 21), "email", "soft", [0]),
    )
    kinds = ("promise", "dispute", "already_paid", "out_of_office", "wrong_person", "angry", "question",
             "plan_accepted")  # fmt: skip
    replies = frame(
        tables.REPLIES,
        *(
            {"reply_id": n, "message_id": n % 4, "account_id": (1, 5, 0, 0)[n % 4],
             "reply_date": D(2026, 5, 22), "channel": "email", "kind": kind,
             "promise_date": D(2026, 6, 5) if kind == "promise" else None,
             "promise_cents": 1_220_00 if kind == "promise" else None,
             "reason": "missing_pod" if kind == "dispute" else None,
             "return_date": D(2026, 6, 1) if kind == "out_of_office" else None,
             "installments": [[3], [8], [0, 1], [0]][n % 4], "is_honest": True}
            for n, kind in enumerate(kinds)
        ),
    )  # fmt: skip
    disputes = frame(
        tables.DISPUTES,
        {"installment_id": 3, "reason": "price", "is_valid": True, "opened_date": D(2026, 2, 1),
         "resolved_date": D(2026, 2, 10), "credit_cents": 122_00},
    )  # fmt: skip
    sheet = {
        "total_assets": 1_000_000, "current_assets": 600_000, "cash": 50_000, "inventory": 200_000,
        "receivables": 350_000, "equity": 300_000, "retained_earnings": 100_000,
        "current_liabilities": 450_000, "total_liabilities": 700_000, "revenue": 2_000_000, "ebit": 120_000,
        "interest_expense": 20_000, "net_profit": 70_000, "employees": 12,
    }  # fmt: skip
    balance_sheets = frame(
        tables.BALANCE_SHEETS,
        {"customer_id": 0, "year": 2024, "filed_date": D(2025, 5, 30), "medium": "xbrl", **sheet},
        {"customer_id": 1, "year": 2024, "filed_date": D(2025, 6, 10), "medium": "csv", **sheet},
    )
    ratings = frame(
        tables.RATINGS,
        {"customer_id": 0, "rated_date": D(2026, 1, 10), "provider": "Agenzia Alfa", "rating": "B",
         "score": 72, "pd": 0.012, "limit_cents": 50_000_00, "events": ""},
    )  # fmt: skip
    return Tables(
        companies, banks, customers, contacts, payer_banks, accounts, invoices, installments, orders,
        payments, lines, postings, receipts, remittances, messages, replies, disputes, balance_sheets,
        ratings,
    )  # fmt: skip


def _bank(ix: int, company: int, name: str, abi: str, cab: str, number: str, bic: str, form: str, cents: int):
    bban = f"X{abi}{cab}{number}"
    digits = "".join(str(int(mark, 36)) for mark in bban + "IT00")
    return {
        "bank_id": ix, "company_id": company, "name": name, "abi": abi, "cab": cab, "account": number,
        "cin": "X", "iban": f"IT{98 - int(digits) % 97:02d}{bban}", "bic": bic, "format": form,
        "opening_cents": cents,
    }  # fmt: skip


def _customer(ix: int, name: str, vat: str, **told: Any) -> dict[str, Any]:
    usual = {
        "customer_id": ix, "name": name, "legal_form": name.split()[-1], "sector": "meccanica",
        "size": "small",
        "country": "IT", "region": "Lombardia", "province": "BS", "city": "Brescia", "zip": "25121",
        "address": f"Via delle Ginestre {ix + 1}", "vat": vat, "tax_code": vat.removeprefix("IT"),
        "sdi_code": "ABC1234", "pec": f"cliente{ix}@pec.cliente{ix}.test", "domain": f"cliente{ix}.test",
        "language": "it", "founded_year": 1990, "sales_share": 0.2, "paying_type": "forgetful",
        "slowness": 1.0, "pay_weekday": -1, "reference_style": "numbers", "remittance_habit": "none",
    }  # fmt: skip
    return usual | told


def _account(ix: int, company: int, customer: int, code: str, terms: str, method: str, **told: Any):
    usual = {"account_id": ix, "company_id": company, "customer_id": customer, "code": code,
             "terms_text": terms, "method": method, "limit_cents": 10_000_00}  # fmt: skip
    return usual | told


def _invoice(ix: int, account: int, number: str, day: date, taxable: int, **told: Any) -> dict[str, Any]:
    rate = told.get("vat_rate", 0.22)
    vat = round(taxable * rate)
    usual = {"invoice_id": ix, "account_id": account, "kind": "invoice", "number": number, "date": day,
             "taxable_cents": taxable, "vat_cents": vat, "total_cents": taxable + vat, "vat_rate": rate,
             "reason": ""}  # fmt: skip
    return usual | told


def _installment(ix: int, invoice: int, account: int, no: int, due: date, amount: int, **told: Any):
    usual = {"installment_id": ix, "invoice_id": invoice, "account_id": account, "no": no, "due_date": due,
             "amount_cents": amount, "cash_cents": amount}  # fmt: skip
    return usual | told


def _payment(ix: int, company: int, bank: int, kind: str, day: date, amount: int, **told: Any):
    usual = {"payment_id": ix, "company_id": company, "bank_id": bank, "kind": kind, "booking_date": day,
             "value_date": day, "amount_cents": amount, "faults": []}  # fmt: skip
    return usual | told


def _line(payment: int, installment: int, kind: str, amount: int) -> dict[str, Any]:
    return {"payment_id": payment, "installment_id": installment, "kind": kind, "amount_cents": amount}


def _posting(installment: int, posted: date, effective: date, amount: int, kind: str, payment: int):
    return {"installment_id": installment, "posted_date": posted, "effective_date": effective,
            "amount_cents": amount, "kind": kind, "payment_id": payment}  # fmt: skip


def _receipt(
    ix: int, kind: str, line: int, account: int, batch: int, bank: int, due: date, amount: int,
    returned: date | None, reason: str | None,
) -> dict[str, Any]:  # fmt: skip
    return {"receipt_id": ix, "kind": kind, "installment_id": line, "account_id": account, "batch_id": batch,
            "bank_id": bank, "presented_date": D(2026, 2, 5), "due_date": due, "amount_cents": amount,
            "returned_date": returned, "return_reason": reason}  # fmt: skip


def _message(ix: int, account: int, day: date, channel: str, tone: str, items: list[int]) -> dict[str, Any]:
    return {"message_id": ix, "account_id": account, "sent_date": day, "channel": channel, "tone": tone,
            "purpose": "reminder", "installments": items}  # fmt: skip
