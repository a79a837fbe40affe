"""Receipts and direct debits in the scenario language, through the flows of collections.

COLLECTION_VERBS and COLLECTION_EXPECTATIONS are their grammar, beside those of scenario_cash.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
from django.db import connection

from saldo.cash.collections import Order, at_risk, in_flight, orders, set_rules
from saldo.cash.statements import add_bank_account, keep_statement
from saldo.core.context import Context
from saldo.core.money import decimal_text, to_mills
from saldo.flows.collect import take_in_flow
from saldo.formats.bank_records import (
    BOOKED,
    BankStatement,
    BankTransaction,
    CollectionFlow,
    CollectionOutcome,
)
from saldo.simulation.scenario_cash import IBAN
from saldo.simulation.scenario_text import Line, ScenarioError
from saldo.simulation.scenario_world import World

SIA = "SC001"
_D = r"\d{4}-\d{2}-\d{2}"
_M = r"-?\d[\d.]*"
_NAME = r'(?:"[^"]+"|\S+)'
_RECEIPT = rf"{_NAME} {_M} due {_D}"
_STATES = "presented|credited|provisional|paid|returned"


# --- verbs ------------------------------------------------------------------------------------------


def _account(world: World) -> Any:
    return add_bank_account(world.context(), world.company.id, name="Bank", iban=IBAN, sia=SIA)


def _slip(world: World, told: dict[str, Any], line: Line) -> None:
    """A slip presented elsewhere, as the bank's file tells it."""
    account = _account(world)
    found = re.findall(rf"({_NAME}) ({_M}) due ({_D})", told["receipts"])
    outcomes = tuple(
        CollectionOutcome(
            ordinal, f"{line.number:06d}{ordinal:04d}", to_mills(Decimal(amount)), date.fromisoformat(due),
            "30000", "presented", debt_reference=f"FATT. {number.strip(chr(34))} RATA 1",
        )
        for ordinal, (number, amount, due) in enumerate(found, start=1)
    )  # fmt: skip
    total = sum(one.amount_mills for one in outcomes)
    flow = CollectionFlow("riba-presented", SIA, account.abi, world.day, told["name"], outcomes, total)
    take_in_flow(world.context(), flow, None)


def _outcome(world: World, told: dict[str, Any], line: Line) -> None:
    """The bank's outcome of the item's last receipt."""
    account, order = _account(world), _order(world, told["item"], world.context(), line)
    one = CollectionOutcome(
        1, order.receipt, order.mills, order.due_date, told["cause"] or "-", told["outcome"],
        debt_reference=order.debt_reference,
    )  # fmt: skip
    flow = CollectionFlow(
        "riba-outcomes", account.abi, SIA, world.day, f"ES{line.number}", (one,), order.mills
    )
    result = take_in_flow(world.context(), flow, None)
    if result.rejections:
        raise ScenarioError(line.number, "an outcome of a receipt", result.rejections[0].why("en"))


def _movement(world: World, told: dict[str, Any], line: Line) -> None:
    """A line of our account with what banks tell of collections."""
    ctx, account = world.context(), _account(world)
    money = world.money(told["amount"], None)
    number = len(world.bank_lines) + 1
    transaction = BankTransaction(
        ordinal=1, booking_date=world.day, amount_mills=money.mills, currency=money.currency,
        code=told["code"], bank_reference=f"REF{number:06d}", end_to_end_id=told["reference"],
        mandate_id=told["mandate"], counterparty_name=told["payer"], remittance_text=told["text"],
        return_reason=told["reason"], is_reversal=bool(told["reversal"]),
    )  # fmt: skip
    statement = BankStatement(
        BOOKED, account.iban, money.currency, (transaction,), number=f"S{number}", to_date=world.day
    )
    kept = keep_statement(ctx, account, statement, None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM cash_banktransaction WHERE statement_id = %s", [kept.statement_id])
        ((world.bank_lines[told["line"]],),) = cursor.fetchall()


def _rules(world: World, told: dict[str, Any], line: Line) -> None:
    value = told["value"] == "on" if told["value"] in ("on", "off") else int(told["value"])
    set_rules(world.context(), world.company.id, **{told["name"]: value})


def _order(world: World, number: str, ctx: Context, line: Line | None = None) -> Order:
    item = int(world.line_of(number)["item_id"])
    found = [one for one in orders(ctx.within(world.company.id)) if one.item_id == item]
    if not found:
        raise ScenarioError(line.number if line else 0, f"a receipt of {number}", "none")
    return found[-1]


# --- expectations -----------------------------------------------------------------------------------


def _is_order(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    order = _order(world, told["item"], ctx)
    same = order.state == told["state"] and told["retry"] in (None, order.retry)
    return None if same else f"{order.state}, retry {order.retry}"


def _is_in_flight(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    item = int(world.line_of(told["item"])["item_id"])
    found = item in in_flight(ctx.within(world.company.id))["item_id"].to_list()
    if found == (told["_word"] == "collecting"):
        return None
    return "under way" if found else "not under way"


def _is_at_risk(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    account = world.account(told["account"])
    frame = at_risk(ctx.within(world.company.id)).filter(pl.col("account_id") == account)
    found = int(frame["at_risk_mills"].sum())
    same = found == to_mills(Decimal(told["amount"]))
    return None if same else decimal_text(found, world.company.currency)


Verb = tuple[str, str, Callable[[World, dict[str, Any], Line], None]]
COLLECTION_VERBS: dict[str, Verb] = {
    "slip": (
        rf"(?P<name>\S+) (?P<receipts>{_RECEIPT}(?:, {_RECEIPT})*)", "NAME ITEM AMOUNT due DATE, …", _slip,
    ),
    "outcome": (
        rf"(?P<item>{_NAME}) (?P<outcome>paid|unpaid|withdrawn|unknown)(?: cause (?P<cause>\S+))?",
        "ITEM paid|unpaid|withdrawn|unknown [cause CODE]", _outcome,
    ),
    "movement": (
        rf'(?P<line>\S+) (?P<amount>{_M}) "(?P<text>[^"]*)"(?: code (?P<code>\S+))?'
        r'(?: id (?P<reference>\S+))?(?: mandate (?P<mandate>\S+))?(?: reason (?P<reason>\S+))?'
        r'(?: from "(?P<payer>[^"]*)")?(?P<reversal> reversal)?',
        'LINE AMOUNT "TEXT" [code CODE] [id END-TO-END] [mandate ID] [reason CODE] [from "NAME"] [reversal]',
        _movement,
    ),
    "rule": (r"(?P<name>\w+) (?P<value>on|off|\d+)", "NAME on|off|DAYS", _rules),
}  # fmt: skip
Expectation = tuple[str, str, Callable[[World, dict[str, Any], Context], str | None]]
COLLECTION_EXPECTATIONS: dict[str, Expectation] = {
    "order": (
        rf"order (?P<item>{_NAME}) (?P<state>{_STATES})(?: retry (?P<retry>later|never|ask))?",
        "order ITEM presented|credited|provisional|paid|returned [retry later|never|ask]", _is_order,
    ),
    "collecting": (rf"collecting (?P<item>{_NAME})", "collecting ITEM", _is_in_flight),
    "released": (rf"released (?P<item>{_NAME})", "released ITEM", _is_in_flight),
    "risk": (rf"risk (?P<account>{_NAME}) (?P<amount>{_M})", "risk CUSTOMER AMOUNT", _is_at_risk),
}  # fmt: skip
