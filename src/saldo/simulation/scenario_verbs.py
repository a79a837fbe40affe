"""The verbs of the scenario language, each through the real flows and operations. VERBS is their grammar."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from saldo.flows.day import run_day
from saldo.flows.import_documents import confirm_closures, import_file
from saldo.identity.operations import ensure_company
from saldo.ledger import entries
from saldo.simulation.scenario_calls import CALL_VERBS
from saldo.simulation.scenario_care import CARE_VERBS
from saldo.simulation.scenario_cash import CASH_VERBS
from saldo.simulation.scenario_collections import COLLECTION_VERBS
from saldo.simulation.scenario_desk import DESK_VERBS
from saldo.simulation.scenario_disputes import DISPUTE_VERBS
from saldo.simulation.scenario_outreach import OUTREACH_VERBS
from saldo.simulation.scenario_plans import PLAN_VERBS
from saldo.simulation.scenario_text import Line, ScenarioError
from saldo.simulation.scenario_world import World

# Read by an import that names no profile: one row an installment, columns by these names, most optional.
PROFILE = """
name = "{source}"
source = "{source}"
[format]
decimal = ","
thousands = "."
dates = ["DD/MM/YYYY"]
[columns]
customer_code = "customer"
number = "number"
kind = "kind"
document_date = "date"
due_date = "due"
terms_text = "terms"
installment_no = "installment"
currency = "currency"
amount = "amount"
open = "open"
settled_date = "settled"
optional = ["kind", "due_date", "terms_text", "currency", "open", "settled_date", "installment_no"]
[kinds]
credit_note = "credit_note"
payment = "payment"
[export]
complete = {complete}
"""
_D = r"\d{4}-\d{2}-\d{2}"
_M = r"-?\d[\d.]*"
_NAME = r'(?:"[^"]+"|\S+)'
_SHARES = rf"{_NAME}(?: {_M})?(?:, {_NAME} {_M})*"


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _company(world: World, told: dict[str, Any], line: Line) -> None:
    world.code = told["code"]
    world.company = ensure_company(world.context(), told["code"], told["code"], told["currency"] or "EUR")


def _invoice(world: World, told: dict[str, Any], line: Line) -> None:
    amount = world.money(told["amount"], told["currency"])
    parts = re.findall(rf"({_D})(?: ({_M}))?", told["due"] or "")
    installments = [
        (date.fromisoformat(due), Decimal(part) if part else amount.amount) for due, part in parts
    ]
    entries.record_invoice(
        world.context(), world.account(told["account"], make=True), told["number"], amount, installments,
        told["terms"] or "", _day(told["dated"]), kind=line.verb,
    )  # fmt: skip


def _credit_note(world: World, told: dict[str, Any], line: Line) -> None:
    amount = world.money(told["amount"], told["currency"])
    account = world.account(told["account"], make=True)
    shares = world.shares(told["on"], amount.amount)
    entries.record_credit_note(world.context(), account, told["number"], amount, shares, _day(told["dated"]))


def _payment(world: World, told: dict[str, Any], line: Line) -> None:
    amount = world.money(told["amount"], told["currency"])
    entries.record_payment(
        world.context(), world.account(told["account"], make=True), amount,
        world.shares(told["on"], amount.amount), _day(told["booked"]), number=told["number"] or "",
        text=told["ref"] or "",
    )  # fmt: skip


def _allocate(world: World, told: dict[str, Any], line: Line) -> None:
    credit = world.line_of(told["credit"])
    shares = world.shares(told["on"], -credit["balance"])
    entries.allocate(world.context(), credit["item_id"], shares, effective_date=_day(told["since"]))


def _reverse(world: World, told: dict[str, Any], line: Line) -> None:
    item = world.line_of(told["item"])["item_id"]
    correction = told["why"] == "correction"
    entries.reverse_allocation(world.context(), item, Decimal(told["amount"]), told["why"], correction)


def _write_off(world: World, told: dict[str, Any], line: Line) -> None:
    reason = told["why"] or "uncollectible"
    entries.write_off(
        world.context(), world.line_of(told["item"])["item_id"], Decimal(told["amount"]), reason
    )


def _due(world: World, told: dict[str, Any], line: Line) -> None:
    item, due = world.line_of(told["item"])["item_id"], date.fromisoformat(told["due"])
    entries.amend_due_date(world.context(), item, due, told["why"] or "agreed with the customer")


def _profile(world: World, told: dict[str, Any], line: Line) -> None:
    world.profiles[told["name"]] = line.block or ""


def _import(world: World, told: dict[str, Any], line: Line) -> None:
    complete = "true" if told["style"] == "complete" else "false"
    mapping = told["profile"] and (world.profiles.get(told["profile"]) or told["profile"])
    if told["source"] != "e-invoice":
        mapping = mapping or PROFILE.format(source=told["source"], complete=complete)
    world.result = import_file(
        world.context(), told["file"] or f"{line.day}-{line.number}.txt", (line.block or "").encode(),
        mapping=mapping, company_code=world.code, as_at=_day(told["as_at"]),
        dry_run=bool(told["dry"]), accept_closures=bool(told["accept"]),
    )  # fmt: skip


def _confirm(world: World, told: dict[str, Any], line: Line) -> None:
    if world.result is None or world.result.batch_id is None:
        raise ScenarioError(line.number, "an import that asks, before", "none")
    world.result = confirm_closures(world.context(), world.result.batch_id)


def _run_day(world: World, told: dict[str, Any], line: Line) -> None:
    world.runs.append(run_day(world.context(), world.company.id, refresh=bool(told["refresh"])))


_ON = rf"(?: on (?P<on>{_SHARES}))?"
_AMOUNT = rf"(?P<amount>{_M})(?: (?P<currency>[A-Z]{{3}}))?"
_DOC = rf"(?P<account>{_NAME}) (?P<number>{_NAME}) {_AMOUNT}"
_DATED = rf"(?: dated (?P<dated>{_D}))?"
_ITEM = rf"(?P<item>{_NAME})"
_WHY = r'(?: "(?P<why>[^"]+)")?'
Verb = tuple[str, str, Callable[[World, dict[str, Any], Line], None]]
_INVOICE_ARGS = (
    rf'{_DOC}(?: due (?P<due>{_D}(?: {_M})?(?:, {_D} {_M})*))?(?: terms "(?P<terms>[^"]*)")?{_DATED}',
    'CUSTOMER NUMBER AMOUNT [CUR] due DATE | due DATE AMOUNT, … | terms "…" [dated DATE]',
)
VERBS: dict[str, Verb] = {
    "company": (r"(?P<code>\S+)(?: (?P<currency>[A-Z]{3}))?", "CODE [CUR]", _company),
    "language": (r"(?P<code>it|en)", "it|en", lambda w, told, _: setattr(w, "language", told["code"])),
    "customer": (
        r'(?P<code>\S+)(?: (?P<name>"[^"]+"))?(?: vat (?P<vat>\S+))?', 'CODE ["Name"] [vat NUMBER]',
        lambda world, told, _: world.customer(told) and None,
    ),
    "profile": (r"(?P<name>\S+)", 'NAME """', _profile),
    "invoice": (*_INVOICE_ARGS, _invoice),
    "debit_note": (*_INVOICE_ARGS, _invoice),
    "credit_note": (
        f"{_DOC}{_ON}{_DATED}", "CUSTOMER NUMBER AMOUNT [CUR] [on ITEM …] [dated DATE]", _credit_note,
    ),
    "payment": (
        rf'(?P<account>{_NAME})(?: (?P<number>(?!{_M}(?: |$)){_NAME}))? {_AMOUNT}{_ON}'
        rf'(?: booked (?P<booked>{_D}))?(?: ref "(?P<ref>[^"]*)")?',
        'CUSTOMER [NUMBER] AMOUNT [CUR] [on ITEM | on ITEM AMOUNT, …] [booked DATE] [ref "…"]', _payment,
    ),
    "allocate": (
        rf"(?P<credit>{_NAME}) on (?P<on>{_SHARES})(?: since (?P<since>{_D}))?",
        "CREDIT on ITEM [AMOUNT, …] [since DATE]", _allocate,
    ),
    "reverse": (
        rf"{_ITEM} (?P<amount>{_M}) (?P<why>insoluto|returned|correction)",
        "ITEM AMOUNT insoluto|returned|correction", _reverse,
    ),
    "write_off": (rf"{_ITEM} (?P<amount>{_M}){_WHY}", 'ITEM AMOUNT ["reason"]', _write_off),
    "due": (rf"{_ITEM} (?P<due>{_D}){_WHY}", 'ITEM DATE ["reason"]', _due),
    "import": (
        r"(?P<source>\S+)(?: (?P<style>complete|delta))?(?: with profile (?P<profile>\S+))?"
        rf"(?: file (?P<file>\S+))?(?: as at (?P<as_at>{_D}))?"
        r"(?P<dry> dry-run)?(?P<accept> accepting closures)?",
        'SOURCE|e-invoice [complete|delta] [with profile NAME] [file NAME] [as at DATE] '
        '[dry-run] [accepting closures] """',
        _import,
    ),
    "confirm": (r"closures", "closures", _confirm),
    "day": (r"(?P<refresh>refresh)?", "[refresh]", _run_day),
    **CASH_VERBS,
    **CALL_VERBS,
    **CARE_VERBS,
    **DESK_VERBS,
    **COLLECTION_VERBS,
    **OUTREACH_VERBS,
    **PLAN_VERBS,
    **DISPUTE_VERBS,
}  # fmt: skip
