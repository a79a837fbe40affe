"""Payment plans, offers, discounts and guarantees in the scenario language, through the real flows.

PLAN_VERBS and PLAN_EXPECTATIONS are their grammar, beside those of the other modules. An offer is accepted by
its signed link, as a customer does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from saldo.core.context import Context
from saldo.core.money import decimal_text, from_mills, to_mills
from saldo.core.plans import PlanRule
from saldo.flows.blocks import booked_until
from saldo.flows.follow_offers import accept_offer, decline_offer, link_of
from saldo.flows.plans import discounts_of
from saldo.promises import offers
from saldo.promises.guarantees import add_guarantee, guarantees_of
from saldo.promises.plan_facts import plans_of
from saldo.promises.plan_policy import change_rules
from saldo.promises.plans import meet_milestone, propose
from saldo.simulation.scenario_text import Line, ScenarioError
from saldo.simulation.scenario_world import World

SECOND = "system:second"
_D = r"\d{4}-\d{2}-\d{2}"
_M = r"-?\d[\d.]*"
_NAME = r'(?:"[^"]+"|\S+)'
_ITEMS = rf"{_NAME}(?:, {_NAME})*"
_ACCOUNT = rf"(?P<account>{_NAME})"
_PARTS = rf"(?P<parts>{_D} {_M}(?:, {_D} {_M})*)"
_RULE = r"(?: tolerance (?P<tolerance>\d+))?(?: misses (?P<misses>\d+))?(?: arrears (?P<arrears>\d+))?"
_MILESTONE = rf'(?: milestone (?P<stone_day>{_D}) "(?P<stone>[^"]+)")?'


def _offer_plan(world: World, told: dict[str, Any], line: Line) -> None:
    usual = PlanRule()
    rule = PlanRule(
        int(told["tolerance"] or usual.tolerance_days), int(told["misses"] or usual.missed_limit),
        int(told["arrears"] or usual.late_percent),
    )  # fmt: skip
    stones = [(date.fromisoformat(told["stone_day"]), told["stone"])] if told["stone"] else []
    offers.offer_plan(
        world.context(), world.account(told["account"]), world.company.currency, _parts(told["parts"]),
        _items(world, told["items"]), rule, stones,
    )  # fmt: skip


def _offer_discount(world: World, told: dict[str, Any], line: Line) -> None:
    offers.offer_discount(
        world.context(), world.account(told["account"]), world.company.currency,
        _items(world, told["items"]), int(Decimal(told["rate"]) * 100), date.fromisoformat(told["pay_by"]),
        date.fromisoformat(told["usual"]),
    )  # fmt: skip


def _parts(text: str) -> list[tuple[date, int]]:
    found = re.findall(rf"({_D}) ({_M})", text)
    return [(date.fromisoformat(due), to_mills(Decimal(amount))) for due, amount in found]


def _items(world: World, text: str) -> list[int]:
    names = re.findall(rf"({_NAME})(?:, |$)", text)
    return [int(world.line_of(name)["item_id"]) for name in names]


def _decide(world: World, told: dict[str, Any], line: Line) -> None:
    """What becomes of the account's newest offer. The customer follows its link."""
    ctx = world.context()
    found = offers.offers_of(ctx, world.account(told["account"]))
    if not found:
        raise ScenarioError(line.number, f"an offer to {told['account']}", "none")
    newest, what = found[0], told["what"]
    signed = (link_of(newest) or "/-").rpartition("/")[2]
    customer = replace(ctx, actor="system:link", company_id=None)
    if what == "accept":
        accept_offer(customer, signed, "Anna Neri", "", {})
    elif what == "decline":
        decline_offer(customer, signed, "", {})
    elif what == "approve":
        offers.approve(replace(ctx, actor=SECOND), newest.id)
    else:
        (offers.refuse if what == "refuse" else offers.withdraw)(ctx, newest.id)


def _met(world: World, told: dict[str, Any], line: Line) -> None:
    for plan in plans_of(world.context(), world.account(told["account"])):
        for stone in plan.milestones:
            if stone.state != "met":
                meet_milestone(world.context(), stone.id)
                return
    raise ScenarioError(line.number, f"a milestone of {told['account']} that is not met", "none")


def _guarantee(world: World, told: dict[str, Any], line: Line) -> None:
    add_guarantee(
        world.context(), world.account(told["account"]), told["kind"], world.company.currency,
        to_mills(Decimal(told["amount"])), date.fromisoformat(told["until"]) if told["until"] else None,
    )  # fmt: skip


def _plan_rules(world: World, told: dict[str, Any], line: Line) -> None:
    change_rules(world.context(), world.company.id, **{told["name"]: told["value"]})


# --- expectations -----------------------------------------------------------------------------------


def _is_plan(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    rows = plans_of(ctx, world.account(told["account"]), booked_until(ctx))
    if not rows:
        return "no plan"
    newest = rows[0]
    states = [each.state for each in newest.installments]
    same = newest.state == told["state"] and told["missed"] in (None, str(newest.missed))
    same = same and told["left"] in (None, f"{newest.remaining:.2f}")
    same = same and (told["states"] is None or told["states"].split(", ") == states)
    return None if same else (
        f"{newest.state} left {newest.remaining:.2f} missed {newest.missed} ({', '.join(states)})"
    )  # fmt: skip


def _is_offer(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    rows = offers.offers_of(ctx, world.account(told["account"]))
    found = rows[0].state if rows else "no offer"
    return None if found == told["state"] else found


def _is_discount(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    row = world.line_of(told["item"], ctx)
    found = [
        each
        for each in discounts_of(ctx, row["account_id"], booked_until(ctx))
        if each.item_id == row["item_id"]
    ]
    if not found:
        return "no discount"
    same = found[-1].state == told["state"] and told["amount"] in (None, f"{from_mills(found[-1].mills):.2f}")
    return None if same else f"{found[-1].state} {from_mills(found[-1].mills):.2f}"


def _is_proposed(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    found = propose(ctx, world.account(told["account"]), world.company.currency).found
    parts = [f"{day} {decimal_text(mills, world.company.currency)}" for day, mills in found.installments]
    codes = [reason["code"] for reason in found.reasons]
    same = told["parts"] == ", ".join(parts) and told["code"] in (None, *codes)
    return None if same else f"{', '.join(parts)} ({', '.join(codes)})"


def _is_guaranteed(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    rows = guarantees_of(ctx, world.account(told["account"]))
    found = rows[0].state if rows else "no guarantee"
    return None if found == told["state"] else found


Verb = tuple[str, str, Callable[[World, dict[str, Any], Line], None]]
Expectation = tuple[str, str, Callable[[World, dict[str, Any], Context], str | None]]
_WHAT = "accept|decline|approve|refuse|withdraw"
PLAN_VERBS: dict[str, Verb] = {
    "offer-plan": (
        rf"{_ACCOUNT} on (?P<items>{_ITEMS}) paying {_PARTS}{_RULE}{_MILESTONE}",
        'CUSTOMER on ITEM, … paying DATE AMOUNT, … [tolerance DAYS] [misses N] [arrears PERCENT] '
        '[milestone DATE "text"]',
        _offer_plan,
    ),
    "offer-discount": (
        rf"{_ACCOUNT} (?P<rate>[\d.]+)% on (?P<items>{_ITEMS}) by (?P<pay_by>{_D}) "
        rf"instead of (?P<usual>{_D})",
        "CUSTOMER RATE% on ITEM, … by DATE instead of DATE", _offer_discount,
    ),
    "offer": (rf"(?P<what>{_WHAT}) {_ACCOUNT}", f"{_WHAT} CUSTOMER", _decide),
    "milestone": (rf"{_ACCOUNT} met", "CUSTOMER met", _met),
    "guarantee": (
        rf"{_ACCOUNT} (?P<kind>[a-z_]+) (?P<amount>{_M})(?: until (?P<until>{_D}))?",
        "CUSTOMER KIND AMOUNT [until DATE]", _guarantee,
    ),
    "plan-rules": (r"(?P<name>\w+) (?P<value>\d+)", "NAME VALUE", _plan_rules),
}  # fmt: skip
PLAN_EXPECTATIONS: dict[str, Expectation] = {
    "plan": (
        rf"plan {_ACCOUNT} (?P<state>[a-z]+)(?: left (?P<left>{_M}))?(?: missed (?P<missed>\d+))?"
        r"(?: (?P<states>[a-z_]+(?:, [a-z_]+)*))?",
        "plan CUSTOMER open|settled|completed|fallen|withdrawn [left AMOUNT] [missed N] [STATE, …]", _is_plan,
    ),
    "offer": (
        rf"offer {_ACCOUNT} (?P<state>\w+)",
        "offer CUSTOMER to_approve|open|expired|accepted|declined|refused|withdrawn", _is_offer,
    ),
    "discount": (
        rf"discount (?P<item>{_NAME}) (?P<state>\w+)(?: (?P<amount>{_M}))?",
        "discount ITEM waiting|earned|credited|lapsed [AMOUNT]", _is_discount,
    ),
    "proposed": (
        rf"proposed {_ACCOUNT} {_PARTS}(?: (?P<code>[a-z_]+))?", "proposed CUSTOMER DATE AMOUNT, … [CODE]",
        _is_proposed,
    ),
    "guarantee": (
        rf"guarantee {_ACCOUNT} (?P<state>\w+)",
        "guarantee CUSTOMER in_force|lapsed|released|enforced|replaced|mistake", _is_guaranteed,
    ),
}  # fmt: skip
