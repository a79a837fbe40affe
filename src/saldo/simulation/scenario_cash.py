"""Bank lines in the scenario language: verbs and expectations, through the real statements and cash flows.

CASH_VERBS and CASH_EXPECTATIONS are their grammar, beside those of scenario_verbs and scenario_checks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from saldo.cash.aliases import aliases
from saldo.cash.plans import MANUAL, Planned
from saldo.cash.policies import policy_in_force, set_policy
from saldo.cash.postings import post, post_not_customer
from saldo.cash.statements import add_bank_account, keep_remittances, keep_statement
from saldo.cash.undoing import undo
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.matching.records import Difference, Share
from saldo.core.money import decimal_text, to_mills
from saldo.core.reasons import render
from saldo.flows.apply_cash import apply_cash
from saldo.formats.bank_records import BOOKED, BankStatement, BankTransaction
from saldo.formats.remittances import Remittance, RemittanceLine
from saldo.simulation.scenario_text import Line, ScenarioError
from saldo.simulation.scenario_world import World

# An account of a bank that does not exist.
IBAN = "IT87W9999111200000000555001"
_D = r"\d{4}-\d{2}-\d{2}"
_M = r"-?\d[\d.]*"
_NAME = r'(?:"[^"]+"|\S+)'
_CUR = r"[A-Z]{3}"
_PARTS = rf"{_NAME} {_M}(?:, {_NAME} {_M})*"
_LINE = r"(?P<line>\S+)"
_AMOUNT = rf"(?P<amount>{_M})(?: (?P<currency>{_CUR}))?"

_STATE = """
SELECT last.kind, last.mode, last.shares::text, last.differences::text, best.kind, best.zone,
       best.shares::text, best.differences::text, best.reasons::text, t.currency,
       (t.amount * 1000)::bigint, last.account_id, best.account_id
  FROM cash_banktransaction t
  LEFT JOIN LATERAL (SELECT p.* FROM cash_posting p WHERE p.transaction_id = t.id
                      ORDER BY p.sequence DESC LIMIT 1) last ON true
  LEFT JOIN LATERAL (SELECT m.* FROM cash_matchproposal m WHERE m.transaction_id = t.id
                      ORDER BY m.run DESC, m.rank LIMIT 1) best ON true
 WHERE t.id = %s
"""
_PROPOSAL = """
SELECT m.id, m.account_id, m.shares::text, m.differences::text
  FROM cash_matchproposal m
 WHERE m.transaction_id = %s AND m.run = (SELECT max(run) FROM cash_matchproposal WHERE transaction_id = %s)
 ORDER BY m.rank
"""


# --- verbs ------------------------------------------------------------------------------------------


def _bank(world: World, told: dict[str, Any], line: Line) -> None:
    """A booked line of our account, in a statement of its own."""
    if told["line"] in world.bank_lines:
        raise ScenarioError(line.number, "a new name for the line", told["line"])
    ctx = world.context()
    account = add_bank_account(ctx, world.company.id, name="Bank", iban=IBAN, currency=world.company.currency)
    money = world.money(told["amount"], told["currency"])
    day = date.fromisoformat(told["booked"]) if told["booked"] else world.day
    number = len(world.bank_lines) + 1
    transaction = BankTransaction(
        ordinal=1,
        booking_date=day,
        amount_mills=money.mills,
        currency=money.currency,
        bank_reference=f"REF{number:06d}",
        creditor_reference=told["reference"],
        counterparty_name=told["name"],
        counterparty_iban=told["iban"],
        ultimate_name=told["ultimate"],
        remittance_text=told["text"],
        charges_mills=to_mills(Decimal(told["charges"] or 0)),
        original_mills=to_mills(Decimal(told["original"])) if told["original"] else None,
        original_currency=told["foreign"],
    )
    before, after = world.bank_balance_mills, world.bank_balance_mills + money.mills
    statement = BankStatement(
        BOOKED, account.iban, money.currency, (transaction,), number=f"S{number}", from_date=day, to_date=day,
        opening_mills=before, opening_date=day, closing_mills=after, closing_date=day,
    )  # fmt: skip
    kept = keep_statement(ctx, account, statement, None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM cash_banktransaction WHERE statement_id = %s", [kept.statement_id])
        ((world.bank_lines[told["line"]],),) = cursor.fetchall()
    world.bank_balance_mills = after


def _advice(world: World, told: dict[str, Any], line: Line) -> None:
    """What a payer says that one payment is for."""
    money = world.money(told["amount"], told["currency"])
    lines = tuple(
        RemittanceLine(number, None, mills, is_credit=mills < 0) for number, mills in _parts(told["parts"])
    )
    adds_up = sum(each.paid_mills or 0 for each in lines) == money.mills
    advice = Remittance(
        "mail", money.mills, money.currency, lines, payer_name=told["name"].strip('"'), adds_up=adds_up,
        payment_date=world.day,
    )  # fmt: skip
    keep_remittances(world.context(), world.company.id, [advice], None, world.day)


def _cash(world: World, told: dict[str, Any], line: Line) -> None:
    result = apply_cash(world.context(), world.company.id)
    if not result.adds_up:
        raise ScenarioError(line.number, "every euro accounted for", json.dumps(result.as_json("en")))
    if result.refused:
        raise result.refused[0].error


def _accept(world: World, told: dict[str, Any], line: Line) -> None:
    """A person confirms the first proposal, or another one."""
    transaction, rank = _line(world, told["line"]), int(told["rank"] or 1)
    with connection.cursor() as cursor:
        cursor.execute(_PROPOSAL, [transaction, transaction])
        found = cursor.fetchall()
    if len(found) < rank:
        raise ScenarioError(line.number, f"proposal {rank} of {told['line']}", f"{len(found)} proposals")
    proposal, account, shares, differences = found[rank - 1]
    planned = Planned(
        transaction, account, tuple(Share(x["item"], x["mills"]) for x in json.loads(shares)),
        tuple(Difference(x["kind"], x["item"], x["mills"]) for x in json.loads(differences)),
        mode="confirmed" if rank == 1 else "chosen", proposal_id=proposal,
    )  # fmt: skip
    post(world.context(), planned)


def _post(world: World, told: dict[str, Any], line: Line) -> None:
    """A person posts the line by hand: on items, the rest on account; or on account altogether."""
    transaction = _line(world, told["line"])
    if told["account"] == "not-customer":
        post_not_customer(world.context(), transaction)
        return
    shares = tuple(Share(_item(world, number), mills) for number, mills in _parts(told["parts"]))
    differences: tuple[Difference, ...] = ()
    if told["kind"]:
        mills = to_mills(Decimal(told["less"]))
        differences = (Difference(told["kind"], _item(world, told["item"]), mills),)
    account = world.account(told["account"])
    post(world.context(), Planned(transaction, account, shares, differences, mode=MANUAL))


def _undo(world: World, told: dict[str, Any], line: Line) -> None:
    undo(world.context(), _line(world, told["line"]), "scenario")


def _policy(world: World, told: dict[str, Any], line: Line) -> None:
    """How the company wants its cash applied."""
    ctx, company = world.context(), world.company.id
    data = policy_in_force(ctx, company).as_data() | {told["name"]: json.loads(told["value"])}
    set_policy(ctx, company, data)


def _line(world: World, name: str) -> int:
    if name not in world.bank_lines:
        raise SaldoError("line_unknown", line=name)
    return world.bank_lines[name]


def _item(world: World, number: str) -> int:
    return int(world.line_of(number)["item_id"])


def _parts(text: str | None) -> list[tuple[str, int]]:
    """ "F-1 100.00, NC-1 -30.00" as (number, mills)."""
    found = re.findall(rf"({_NAME}) ({_M})(?:, |$)", text or "")
    return [(number.strip('"'), to_mills(Decimal(amount))) for number, amount in found]


# --- expectations -----------------------------------------------------------------------------------


def _is_line(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    """What became of a bank line; with ``on`` exactly what it pays, or would pay."""
    with connection.cursor() as cursor:
        cursor.execute(_STATE, [_line(world, told["line"])])
        (row,) = cursor.fetchall()
    posted, mode, shares, differences, kind, zone, proposed, remaining, reasons, currency, mills, *who = row
    is_posted = posted not in (None, "undo")
    state = mode if is_posted else {"propose": "proposed", "auto": "proposed"}.get(zone, "left")
    paid = json.loads((shares if is_posted else proposed) or "[]")
    rests = json.loads((differences if is_posted else remaining) or "[]")
    account = who[0] if is_posted else who[1]
    found = _described(world, state, kind, paid, rests, mills, currency)
    same = told["state"] in (None, state) or (told["state"] == "posted" and is_posted)
    same = same and told["kind"] in (None, kind)
    if told["parts"]:
        wanted = [] if told["parts"] == "nothing" else _parts(told["parts"])
        same = same and sorted((_item(world, number), part) for number, part in wanted) == sorted(
            (share["item"], share["mills"]) for share in paid
        )
    if told["unapplied"]:
        rest = mills - sum(share["mills"] for share in paid)
        same = same and rest == to_mills(Decimal(told["unapplied"]))
    if told["less"]:
        part = (told["less"], to_mills(Decimal(told["missing"])))
        same = same and part in [(each["kind"], each["mills"]) for each in rests]
    if told["account"]:
        same = same and account == world.account(told["account"])
    words = "; ".join(render(r["code"], r["params"], world.language) for r in json.loads(reasons or "[]"))
    if told["why"] and told["why"] not in words:
        return f"{found} ({words})"
    return None if same else found


def _described(
    world: World, state: str, kind: str | None, paid: list[dict[str, Any]], rests: list[dict[str, Any]],
    mills: int, currency: str,
) -> str:  # fmt: skip
    numbers = _numbers([each["item"] for each in [*paid, *rests]])
    parts = ", ".join(
        f"{numbers.get(share['item'], share['item'])} {decimal_text(share['mills'], currency)}"
        for share in paid
    )
    less = "".join(f" less {each['kind']} {decimal_text(each['mills'], currency)}" for each in rests)
    rest = decimal_text(mills - sum(share["mills"] for share in paid), currency)
    return f"{state} {kind or ''} on {parts or 'nothing'}{less} unapplied {rest}"


def _numbers(items: list[int]) -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.id, coalesce(v.number, p.number, '') || '#' || i.installment_no FROM ledger_item i"
            " LEFT JOIN ledger_invoice v ON v.id = i.invoice_id"
            " LEFT JOIN ledger_payment p ON p.id = i.payment_id WHERE i.id = ANY(%s)",
            [items],
        )
        return dict(cursor.fetchall())


def _is_known_by(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    """Whether an IBAN, a name, or paying for another customer is believed of a customer."""
    account = world.account(told["account"])
    rows = aliases(replace(ctx, known_at=None), world.company.id, account_ids=[account])
    found = [(kind, value) for kind, value in rows.select("kind", "value").iter_rows()]
    value = told["value"].strip('"')
    wanted = str(world.account(value)) if told["kind"] == "pays_for" else value.lower()
    same = any((kind, known.lower()) == (told["kind"], wanted) for kind, known in found)
    if told["_word"] == "unlearnt":
        return f"{told['kind']} {value} is believed" if same else None
    return None if same else ", ".join(f"{kind} {known}" for kind, known in found) or "nothing learnt"


Verb = tuple[str, str, Callable[[World, dict[str, Any], Line], None]]
CASH_VERBS: dict[str, Verb] = {
    "bank": (
        rf'{_LINE} {_AMOUNT} "(?P<text>[^"]*)"(?: from "(?P<name>[^"]*)")?(?: iban (?P<iban>\S+))?'
        rf'(?: for "(?P<ultimate>[^"]*)")?(?: reference (?P<reference>\S+))?(?: charges (?P<charges>{_M}))?'
        rf"(?: instructed (?P<original>{_M}) (?P<foreign>{_CUR}))?(?: booked (?P<booked>{_D}))?",
        'LINE AMOUNT [CUR] "TEXT" [from "NAME"] [iban IBAN] [for "NAME"] [reference RF…] [charges AMOUNT] '
        "[instructed AMOUNT CUR] [booked DATE]",
        _bank,
    ),
    "advice": (
        rf"(?P<name>{_NAME}) {_AMOUNT} for (?P<parts>{_PARTS})", '"NAME" AMOUNT [CUR] for NUMBER AMOUNT, …',
        _advice,
    ),
    "cash": ("", "", _cash),
    "accept": (rf"{_LINE}(?: (?P<rank>\d))?", "LINE [N]", _accept),
    "post": (
        rf"{_LINE} (?P<account>{_NAME})(?: on (?P<parts>{_PARTS}))?"
        rf"(?: less (?P<kind>\w+) (?P<less>{_M}) of (?P<item>{_NAME}))?",
        "LINE CUSTOMER [on ITEM AMOUNT, …] [less KIND AMOUNT of ITEM] | LINE not-customer", _post,
    ),
    "undo": (_LINE, "LINE", _undo),
    "policy": (r"(?P<name>\w+) (?P<value>\S+)", "NAME VALUE", _policy),
}  # fmt: skip
Expectation = tuple[str, str, Callable[[World, dict[str, Any], Context], str | None]]
_KINDS = "match|duplicate|on_account|advance|unknown"
_STATES = "auto|confirmed|chosen|manual|posted|proposed|left"
_KNOWN = rf"(?P<account>{_NAME}) (?P<kind>iban|name|pays_for) (?P<value>{_NAME})"
CASH_EXPECTATIONS: dict[str, Expectation] = {
    "line": (
        rf"line {_LINE}(?: (?P<state>{_STATES}))?(?: as (?P<kind>{_KINDS}))?"
        rf"(?: of (?P<account>{_NAME}))?(?: on (?P<parts>nothing|{_PARTS}))?"
        rf"(?: less (?P<less>\w+) (?P<missing>{_M}))?(?: unapplied (?P<unapplied>{_M}))?"
        r'(?: "(?P<why>[^"]+)")?',
        "line LINE [auto|confirmed|chosen|manual|posted|proposed|left] [as KIND] [of CUSTOMER] "
        '[on ITEM AMOUNT, … | on nothing] [less KIND AMOUNT] [unapplied AMOUNT] ["…"]',
        _is_line,
    ),
    "learnt": (f"learnt {_KNOWN}", "learnt CUSTOMER iban|name|pays_for VALUE", _is_known_by),
    "unlearnt": (f"unlearnt {_KNOWN}", "unlearnt CUSTOMER iban|name|pays_for VALUE", _is_known_by),
}
