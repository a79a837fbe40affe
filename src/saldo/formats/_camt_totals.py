"""The totals that a camt statement states of its entries (``TxsSummry``), compared with what was read."""

from __future__ import annotations

from collections.abc import Sequence

from saldo.core.money import decimal_text
from saldo.formats._camt_fields import plain_mills, sign_if_stated
from saldo.formats._camt_tree import Node, text_of
from saldo.formats.bank_records import BankTransaction
from saldo.formats.records import Notice

_DIGITS = 9


def total_doubts(
    statement: Node, lines: Sequence[BankTransaction], refused_lines: int, where: str
) -> list[Notice]:
    """Totals that differ from the entries; each puts the statement in quarantine.

    Entries of several currencies have a number and no sum. With reversals among them banks count credits and
    debits in different ways, so that there only the totals of all entries are compared. The total sum is that
    of the amounts without signs; some banks state the net one, which is accepted too.
    """
    summary = statement.find("TxsSummry")
    if summary is None:
        return []
    booked: dict[int, int] = {}
    for line in lines:
        booked[line.entry] = booked.get(line.entry, 0) + line.amount_mills
    amounts = list(booked.values())
    currencies = {line.currency for line in lines}
    has_sums = len(currencies) <= 1 and not refused_lines
    currency = next(iter(currencies), "EUR")
    credits, debits = [one for one in amounts if one > 0], [one for one in amounts if one < 0]
    gross, net = sum(map(abs, amounts)), sum(amounts)
    groups: list[tuple[str, int, tuple[int, ...]]] = [
        ("TtlNtries", len(amounts) + refused_lines, (gross, net, -net))
    ]
    if not refused_lines and not any(line.is_reversal for line in lines) and 0 not in amounts:
        groups += [
            ("TtlCdtNtries", len(credits), (sum(credits),)),
            ("TtlDbtNtries", len(debits), (-sum(debits), sum(debits))),
        ]
    found = [
        _compared(summary.find(name), f"{where}/TxsSummry/{name}", count, sums if has_sums else (), currency)
        for name, count, sums in groups
    ]
    if has_sums:
        found.append(_compared_net(summary.find("TtlNtries"), f"{where}/TxsSummry", net, currency))
    return [one for one in found if one is not None]


def _compared(
    group: Node | None, where: str, count: int, sums: tuple[int, ...], currency: str
) -> Notice | None:
    """sums: the readings of the sum that are right; empty where there is none to compare."""
    stated_count, stated_sum = text_of(group, "NbOfNtries"), text_of(group, "Sum")
    is_right = stated_count is None or _count(stated_count) == count
    if is_right and sums and stated_sum is not None:
        is_right = plain_mills(stated_sum) in sums
    if is_right:
        return None
    stated = " × ".join(part for part in (stated_count, stated_sum) if part)
    read = " × ".join([str(count), *(decimal_text(one, currency) for one in sums[:1])])
    return Notice("bank_totals_differ", where, stated, {"stated": stated[:80], "found": read})


def _compared_net(group: Node | None, where: str, net: int, currency: str) -> Notice | None:
    """The net total, in its places before and since version 4."""
    if group is None:
        return None
    for amount, holder in (("TtlNetNtryAmt", group), ("TtlNetNtry/Amt", group.find("TtlNetNtry"))):
        text, sign = text_of(group, amount), sign_if_stated(holder) if holder is not None else None
        if text is None or sign is None:
            continue
        mills = plain_mills(text)
        if mills is None or sign * mills != net:
            params = {"stated": text[:80], "found": decimal_text(net, currency)}
            return Notice("bank_totals_differ", f"{where}/TtlNetNtry", text, params)
    return None


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text.lstrip("0")) <= _DIGITS else None
