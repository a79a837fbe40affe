"""RiBa flows of CBI: the slips that we present, and the flow in which the bank tells what became of them.

Records of 120 characters: per receipt 14 20 30 40 50 51 70 between IB and EF (CBI-RIB-001). In an outcome the
debtor's bank and the bank that presented the receipt change places in record 14, and the cause in it says
what happened; presented receipts have cause 30000.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import groupby
from operator import attrgetter

import polars as pl

from saldo.simulation.files.bank_lines import Bank, Receipt, bank_path, banks_of, receipts_of
from saldo.simulation.files.bank_text import arrival, day_first, field, plain
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.days import add_business, day_of, number
from saldo.simulation.world.tables import Tables

PRESENTED = "30000"
PAID = "30001"
# Banking days after the due date on which a bank confirms payment: later than it may still return one.
CONFIRMED_DAYS = 8
_WIDTH = 120
_Banks = Callable[[Receipt, Bank], str]


def bank_riba_presented(t: Tables, first: date, last: date) -> Iterator[WorldFile]:
    """The slips presented from ``first`` to ``last``: one file per account and day, one flow per slip."""
    found = t.receipts.filter((pl.col("kind") == "riba") & pl.col("presented_date").is_between(first, last))
    receipts = sorted(receipts_of(t, found), key=lambda one: (one.presented_date, one.bank_id, one.batch_id))
    banks = banks_of(t)
    for (day, bank_id), group in groupby(receipts, attrgetter("presented_date", "bank_id")):
        bank = banks[bank_id]
        data = b"".join(
            _flow(
                f"{bank.sia}{bank.abi}{day_first(day)}{field(f'RB{day:%y%m%d}{batch_id:010d}', 20)}",
                [(receipt, PRESENTED) for receipt in slip],
                bank,
                _presented_banks,
            )
            for batch_id, slip in groupby(group, attrgetter("batch_id"))
        )
        yield WorldFile(bank_path(bank, "riba_presented", f"{day:%Y%m%d}.txt"), data, day)


def bank_riba_outcomes(t: Tables, first: date, last: date) -> Iterator[WorldFile]:
    """What became of receipts from ``first`` to ``last``, one flow per account and day.

    A return is told on its day, a payment ``CONFIRMED_DAYS`` banking days after the due date.
    """
    due = t.receipts.filter((pl.col("kind") == "riba") & (pl.col("due_date") <= last))
    confirmed = pl.Series(add_business(due["due_date"].cast(pl.Int32).to_numpy(), CONFIRMED_DAYS))
    now = due.filter(
        pl.coalesce("returned_date", confirmed.cast(pl.Int32).cast(pl.Date)).is_between(first, last)
    )
    told = [(receipt, *_outcome(receipt)) for receipt in receipts_of(t, now)]
    told.sort(key=lambda one: (one[1], one[0].bank_id, one[0].receipt_id))
    banks = banks_of(t)
    for (day, bank_id), group in groupby(told, lambda one: (one[1], one[0].bank_id)):
        bank = banks[bank_id]
        head = f"{bank.abi}{bank.sia}{day_first(day)}{field(f'ES{day:%y%m%d}{bank.account[-6:]}', 20)}"
        data = _flow(head, [(receipt, cause) for receipt, _, cause in group], bank, _outcome_banks)
        yield WorldFile(bank_path(bank, "riba_outcomes", f"{day:%Y%m%d}.txt"), data, arrival(day))


def _outcome(receipt: Receipt) -> tuple[date, str]:
    """(day, cause)."""
    if receipt.returned_date is not None:
        return receipt.returned_date, receipt.return_reason
    return day_of(int(add_business(number(receipt.due_date), CONFIRMED_DAYS))), PAID


def _flow(head: str, receipts: Sequence[tuple[Receipt, str]], bank: Bank, banks: _Banks) -> bytes:
    """A flow of receipts with their causes; ``banks``: what stands at 48-91 of record 14."""
    records = [f" IB{head}{'':74}E"]
    total = 0
    for at, (receipt, cause) in enumerate(receipts, start=1):
        total += receipt.amount_cents
        records += _receipt(receipt, f"{at:07d}", cause, bank, banks(receipt, bank))
    records.append(f" EF{head}{'':6}{len(receipts):07d}{total:015d}{0:015d}{len(records) + 1:07d}{'':24}E")
    return "".join(f"{record:{_WIDTH}}\r\n" for record in records).encode("ascii")


def _presented_banks(receipt: Receipt, bank: Bank) -> str:
    debtor = f"{receipt.abi:5.5}{receipt.cab:5.5}"
    return f"{bank.abi}{bank.cab}{bank.account:12.12}{debtor}{'':12}"


def _outcome_banks(receipt: Receipt, bank: Bank) -> str:
    debtor = f"{receipt.abi:5.5}{receipt.cab:5.5}"
    return f"{debtor}{'':12}{bank.abi}{bank.cab}{bank.account:12.12}"


def _receipt(receipt: Receipt, at: str, cause: str, bank: Bank, banks: str) -> list[str]:
    creditor, debtor, debt = field(bank.owner, 96), field(receipt.name, 60), field(receipt.debt, 80)
    place = f"{field(receipt.city, 23)}{field(receipt.province, 2)}"
    return [
        f" 14{at}{'':12}{day_first(receipt.due_date)}{cause:5.5}{receipt.amount_cents:013d}-{banks}"
        f"{bank.sia}4{field(receipt.customer_code, 16)}{'':6}E",
        f" 20{at}{creditor}",
        f" 30{at}{debtor}{field(receipt.tax_code, 16)}",
        f" 40{at}{field(receipt.address, 30)}{field(receipt.zip, 5)}{place}{field(receipt.bank_name, 50)}",
        f" 50{at}{debt}{'':10}{field(bank.tax_code, 16)}",
        f" 51{at}{receipt.receipt_id:010d}{plain(bank.owner)[:20]:20}",
        f" 70{at}",
    ]
