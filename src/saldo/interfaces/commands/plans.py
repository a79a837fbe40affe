"""saldo plan, discount, guarantee: what is agreed about paying later, or earlier, and what secures it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from saldo.core.context import Context
from saldo.interfaces.commands.app import (
    DAY,
    as_of_option,
    command,
    context,
    day_of,
    json_option,
    prepare,
    print_json,
)
from saldo.interfaces.commands.naming import account_of, currency_of, items_of, mills_of
from saldo.interfaces.commands.promises import _COMPANY, _CURRENCY, _ITEMS, _NOTE, _listed, _ready, _told

_PAY = click.option(
    "--pay", "parts", multiple=True, required=True, help="An installment, as 2026-12-01=500.00 (repeatable)."
)
_LANGUAGE = click.option(
    "--language", type=click.Choice(["it", "en"]), default="it", show_default=True, help="Of the text."
)  # fmt: skip
_NAME = click.option("--name", required=True, help="Who accepted for the customer.")
_WAY = click.option(
    "--way", type=click.Choice(["phone", "paper"]), default="phone", show_default=True, help="How."
)


def _parts(parts: tuple[str, ...], currency: str) -> list[tuple[Any, int]]:
    """Raises click.BadParameter for what is no DATE=AMOUNT."""
    installments = []
    for part in parts:
        day, _, amount = part.partition("=")
        try:
            due = datetime.fromisoformat(day).date()
        except ValueError:
            raise click.BadParameter(f"{part!r} is not DATE=AMOUNT", param_hint="--pay") from None
        installments.append((due, mills_of(amount, currency) or 0))
    return installments


def _acting(as_of: datetime | None) -> Context:
    prepare()
    return context(day_of(as_of))


# --- plans ------------------------------------------------------------------------------------------


@click.group()
def plan() -> None:
    """Payment plans: proposed, offered, agreed, judged by their own rule."""


@plan.command("propose")
@click.argument("customer")
@click.option("--months", type=click.IntRange(1, 120), help="So many installments (default: by its cash).")
@click.option("--first", type=DAY, help="The day of the first one.")
@click.option("--down", help="What is paid at once.")
@_ITEMS
@_CURRENCY
@_COMPANY
@as_of_option
@json_option
@command
def plan_propose(
    customer: str, months: int | None, first: datetime | None, down: str | None, items: tuple[str, ...],
    currency: str | None, company: str, as_of: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Installments that the customer can keep up, from its own cash; nothing is recorded."""
    from saldo.core.money import decimal_text
    from saldo.core.reasons import render
    from saldo.promises.plans import propose

    ctx = _ready(company, as_of)
    account, money = account_of(ctx, customer), currency_of(ctx, currency)
    found = propose(
        ctx, account, money, items_of(ctx, account, items), months, day_of(first), mills_of(down, money) or 0
    )
    parts = [(day.isoformat(), decimal_text(mills, money)) for day, mills in found.found.installments]
    reasons = [render(each["code"], each["params"], "en") for each in found.found.reasons]
    if as_json:
        print_json(
            {
                "debt": decimal_text(found.debt_mills, money), "currency": money, "installments": parts,
                "fits": found.found.fits, "needs_approval": found.needs_approval, "reasons": reasons,
            }
        )  # fmt: skip
        return
    for day, amount in parts:
        click.echo(f"{day}  {amount} {money}")
    for reason in reasons:
        click.echo(reason)


@plan.command("add")
@click.argument("customer")
@_PAY
@_ITEMS
@_CURRENCY
@_NOTE
@_COMPANY
@as_of_option
@json_option
@command
def plan_add(
    customer: str, parts: tuple[str, ...], items: tuple[str, ...], currency: str | None, note: str,
    company: str, as_of: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Record a plan for the whole of the items; its installments add up to them."""
    from saldo.promises.plans import record_plan

    ctx = _ready(company, as_of)
    account, money = account_of(ctx, customer), currency_of(ctx, currency)
    number = record_plan(ctx, account, money, _parts(parts, money), items_of(ctx, account, items), note)
    _told("plan", number, as_json)


@plan.command("offer")
@click.argument("customer")
@_PAY
@_ITEMS
@_LANGUAGE
@_CURRENCY
@_NOTE
@_COMPANY
@as_of_option
@json_option
@command
def plan_offer(
    customer: str, parts: tuple[str, ...], items: tuple[str, ...], language: str, currency: str | None,
    note: str, company: str, as_of: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Offer a plan, to be accepted by a signed link."""
    from saldo.promises.offers import offer_plan

    ctx = _ready(company, as_of)
    account, money = account_of(ctx, customer), currency_of(ctx, currency)
    wanted = items_of(ctx, account, items)
    number = offer_plan(
        ctx, account, money, _parts(parts, money), wanted, note=note, language=language
    )  # fmt: skip
    _told("offer", number, as_json)


@plan.command("offers")
@click.argument("customer")
@_COMPANY
@as_of_option
@json_option
@command
def plan_offers(customer: str, company: str, as_of: datetime | None, as_json: bool) -> None:
    """An account's offers of plans and discounts, with the link of those that wait for the customer."""
    from saldo.flows.follow_offers import link_of
    from saldo.promises.offers import OPEN, offers_of

    ctx = _ready(company, as_of)
    rows = offers_of(ctx, account_of(ctx, customer))
    _listed("offers", rows, as_json, lambda row: (
        f"{row.id:>6}  {row.effective_date}  {row.kind}  {row.amount:.2f} {row.currency}  {row.state}  "
        f"until {row.expires_date}  {link_of(row) if row.state == OPEN else ''}".rstrip()
    ))  # fmt: skip


@plan.command("decide")
@click.argument("offer_id", type=int)
@click.argument("act", type=click.Choice(["approve", "refuse", "withdraw"]))
@_NOTE
@as_of_option
@command
def plan_decide(offer_id: int, act: str, note: str, as_of: datetime | None) -> None:
    """Approve or refuse an offer as a second person, or take it back."""
    ctx = _acting(as_of)
    from saldo.promises import offers

    {"approve": offers.approve, "refuse": offers.refuse, "withdraw": offers.withdraw}[act](
        ctx, offer_id, note
    )
    click.echo(f"offer {offer_id}: {act}")


@plan.command("agree")
@click.argument("offer_id", type=int)
@_NAME
@_WAY
@as_of_option
@json_option
@command
def plan_agree(offer_id: int, name: str, way: str, as_of: datetime | None, as_json: bool) -> None:
    """The customer accepted an offer on the phone or on signed paper."""
    ctx = _acting(as_of)
    from saldo.flows.follow_offers import agree_by_hand

    made = agree_by_hand(ctx, offer_id, name, way)
    print_json(asdict(made)) if as_json else click.echo(f"offer {offer_id}: accepted")


@plan.command("end")
@click.argument("plan_id", type=int)
@click.option(
    "--outcome", type=click.Choice(["completed", "fallen", "withdrawn"]), required=True, help="How it ended."
)
@_NOTE
@as_of_option
@command
def plan_end(plan_id: int, outcome: str, note: str, as_of: datetime | None) -> None:
    """A plan was completed, fell or was withdrawn; what is left of its items is asked for again."""
    ctx = _acting(as_of)
    from saldo.promises.plans import end_plan

    end_plan(ctx, plan_id, outcome, note)
    click.echo(f"plan {plan_id}: {outcome}")


@plan.command("list")
@click.argument("customer")
@_COMPANY
@as_of_option
@json_option
@command
def plan_list(customer: str, company: str, as_of: datetime | None, as_json: bool) -> None:
    """An account's plans: what is due of each by the day, and what of it was not paid."""
    from saldo.flows.blocks import booked_until
    from saldo.promises.plan_facts import plans_of

    ctx = _ready(company, as_of)
    rows = plans_of(ctx, account_of(ctx, customer), booked_until(ctx))
    _listed("plans", rows, as_json, lambda row: (
        f"{row.id:>6}  {row.effective_date}  {row.amount:.2f} {row.currency}  left {row.remaining:.2f}  "
        f"late {row.late:.2f}  missed {row.missed}  {row.state}  {row.note}".rstrip()
    ))  # fmt: skip


@plan.command("judge")
@_COMPANY
@as_of_option
@json_option
@command
def plan_judge(company: str, as_of: datetime | None, as_json: bool) -> None:
    """End the plans that fall by their own rule and those that are paid; credit earned discounts."""
    from saldo.flows.plans import look_after

    ctx = _ready(company, as_of)
    assert ctx.company_id is not None
    found = look_after(ctx, ctx.company_id)
    if as_json:
        print_json({"ended": [list(each) for each in found.ended], "credited": found.credited})
        return
    for plan_id, outcome in found.ended:
        click.echo(f"plan {plan_id}: {outcome}")
    click.echo(f"discounts credited: {found.credited}")


@plan.command("rules")
@click.option("--set", "changes", multiple=True, help="A rule, as tolerance_days=7 (repeatable).")
@_NOTE
@_COMPANY
@as_of_option
@json_option
@command
def plan_rules(
    changes: tuple[str, ...], note: str, company: str, as_of: datetime | None, as_json: bool
) -> None:  # fmt: skip
    """The company's rules for plans and discounts."""
    from saldo.promises.plan_policy import change_rules, rules_of

    ctx = _ready(company, as_of)
    assert ctx.company_id is not None
    told = dict(each.partition("=")[::2] for each in changes)
    rules = change_rules(ctx, ctx.company_id, note, **told) if told else rules_of(ctx.company_id)
    if as_json:
        print_json(rules.data())
        return
    for name, value in rules.data().items():
        click.echo(f"{name:<18} {value}")


# --- discounts --------------------------------------------------------------------------------------


@click.group()
def discount() -> None:
    """Discounts for paying early."""


@discount.command("offer")
@click.argument("customer")
@click.option("--rate", required=True, help="In percent, as 1.5.")
@click.option("--by", "by", type=DAY, required=True, help="The day by which the cash is booked.")
@click.option("--otherwise", type=DAY, help="When it would be paid without it (default: as forecast).")
@_ITEMS
@_LANGUAGE
@_CURRENCY
@_NOTE
@_COMPANY
@as_of_option
@json_option
@command
def discount_offer(
    customer: str, rate: str, by: datetime, otherwise: datetime | None, items: tuple[str, ...], language: str,
    currency: str | None, note: str, company: str, as_of: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Offer a discount on the items; says what it costs a year against what money costs."""
    from saldo.flows.plans import expected_payment
    from saldo.promises.offers import offer, offer_discount

    ctx = _ready(company, as_of)
    account, money = account_of(ctx, customer), currency_of(ctx, currency)
    wanted = items_of(ctx, account, items)
    try:
        points = int(Decimal(rate) * 100)
    except (InvalidOperation, ValueError, OverflowError):
        raise click.BadParameter(f"{rate!r} is no rate", param_hint="--rate") from None
    usual = day_of(otherwise) or expected_payment(ctx, account, wanted)
    number = offer_discount(
        ctx, account, money, wanted, points, by.date(), usual, note=note, language=language
    )  # fmt: skip
    terms = offer(ctx, number).terms
    assert terms is not None
    if as_json:
        print_json({"offer": number, **asdict(terms)})
        return
    click.echo(f"offer {number}: costs {terms.annual_bp / 100:.2f}% a year, {terms.days} days earlier; ")
    click.echo(f"up to {terms.break_even_bp / 100:.2f}% it costs less than waiting")


@discount.command("list")
@click.argument("customer")
@_COMPANY
@as_of_option
@json_option
@command
def discount_list(customer: str, company: str, as_of: datetime | None, as_json: bool) -> None:
    """What became of the discounts that an account accepted, item by item."""
    from saldo.core.money import from_mills
    from saldo.flows.blocks import booked_until
    from saldo.flows.plans import discounts_of

    ctx = _ready(company, as_of)
    rows = discounts_of(ctx, account_of(ctx, customer), booked_until(ctx))
    _listed("discounts", rows, as_json, lambda row: (
        f"{row.offer_id:>6}  item {row.item_id}  {from_mills(row.mills):.2f} {row.currency}  "
        f"by {row.pay_by}  {row.state}"
    ))  # fmt: skip


# --- guarantees -------------------------------------------------------------------------------------


@click.group()
def guarantee() -> None:
    """Guarantees: what secures what an account owes."""


@guarantee.command("add")
@click.argument("customer")
@click.option("--kind", required=True, help="surety, bank_guarantee, bill, cheque, deposit, pledge, …")
@click.option("--amount", required=True, help="Up to how much it secures.")
@click.option("--until", type=DAY, help="Its last day.")
@click.option("--giver", default="", help="Who gave it.")
@click.option("--plan", "plan_id", type=int, help="The plan that it secures (default: all that is owed).")
@_CURRENCY
@_NOTE
@_COMPANY
@as_of_option
@json_option
@command
def guarantee_add(
    customer: str, kind: str, amount: str, until: datetime | None, giver: str, plan_id: int | None,
    currency: str | None, note: str, company: str, as_of: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Record a guarantee."""
    from saldo.promises.guarantees import add_guarantee

    ctx = _ready(company, as_of)
    account, money = account_of(ctx, customer), currency_of(ctx, currency)
    number = add_guarantee(
        ctx, account, kind, money, mills_of(amount, money) or 0, day_of(until), plan_id, giver, note=note
    )
    _told("guarantee", number, as_json)


@guarantee.command("end")
@click.argument("guarantee_id", type=int)
@click.option(
    "--outcome", type=click.Choice(["released", "enforced", "replaced", "mistake"]), required=True,
    help="How it ended.",
)  # fmt: skip
@_NOTE
@as_of_option
@command
def guarantee_end(guarantee_id: int, outcome: str, note: str, as_of: datetime | None) -> None:
    """A guarantee was released, enforced, replaced, or recorded by mistake."""
    ctx = _acting(as_of)
    from saldo.promises.guarantees import end_guarantee

    end_guarantee(ctx, guarantee_id, outcome, note)
    click.echo(f"guarantee {guarantee_id}: {outcome}")


@guarantee.command("list")
@click.argument("customer")
@_COMPANY
@as_of_option
@json_option
@command
def guarantee_list(customer: str, company: str, as_of: datetime | None, as_json: bool) -> None:
    """An account's guarantees."""
    from saldo.promises.guarantees import guarantees_of

    ctx = _ready(company, as_of)
    rows = guarantees_of(ctx, account_of(ctx, customer))
    _listed("guarantees", rows, as_json, lambda row: (
        f"{row.id:>6}  {row.effective_date}  {row.kind}  {row.amount:.2f} {row.currency}  "
        f"{f'until {row.expiry_date}' if row.expiry_date else ''}  {row.state}  {row.note}".rstrip()
    ))  # fmt: skip
