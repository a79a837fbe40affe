"""Going live: what is missing, the levels at which old items start, and the day from which messages leave.

    state               what is missing
    choose_levels       a person chooses the starting level of old items
    import_reminders    past reminders from a file
    go_live             levels and cut-over in one

docs/how-to/go-live.md tells it step by step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl
from django.db import transaction

from saldo.collection.levels import CHOSEN, IMPORTED, MAX_LEVEL, NEW_LEVELS, known_items, record_levels
from saldo.collection.playbooks import in_force
from saldo.core.context import Context
from saldo.core.errors import Rejection, SaldoError
from saldo.core.matching.naming_document import NumberBook
from saldo.core.playbook import EMAIL, PEC, SMS
from saldo.core.sending import SendingRules
from saldo.flows.blocks import booked_until
from saldo.flows.import_result import ImportResult
from saldo.formats.tabular.reminders import ReminderSent, read_reminders
from saldo.identity.operations import record_event, stamped
from saldo.identity.queries import companies
from saldo.intake.operations import keep_document
from saldo.ledger.owed import documents_of, open_debits
from saldo.outreach.channels.config import channels
from saldo.outreach.settings import change_rules, is_stopped, rules_of
from saldo.parties.lookup import accounts_of_codes

NO_CUTOVER, NO_PLAYBOOK, NO_CHANNEL, NO_STATEMENT, NO_LEVELS = (
    "cutover", "playbook", "channel", "statement", "levels",
)  # fmt: skip
# Without these nothing sensible can leave; going live in spite of it must be said.
NEEDED = (NO_PLAYBOOK, NO_CHANNEL, NO_STATEMENT)
MAX_AHEAD_DAYS = 366
NAMED_AT_MOST = 4


@dataclass(frozen=True, slots=True)
class Starting:
    """How old items start. bands: days late at least -> level (the highest band that is reached counts; below
    all of them, 0). items: single items' levels, before the bands. only_new: items whose level is known
    (imported or chosen before) keep it. reached_date: the day from which waits count (default: today)."""

    bands: Mapping[int, int] = field(default_factory=dict)
    items: Mapping[int, int] = field(default_factory=dict)
    only_new: bool = True
    reached_date: date | None = None

    def level_of(self, item_id: int, late_days: int) -> int:
        if item_id in self.items:
            return self.items[item_id]
        reached = [days for days in self.bands if late_days >= days]
        return self.bands[max(reached)] if reached else 0


@dataclass(frozen=True, slots=True)
class CutOverState:
    """missing: codes of what is not there yet, in the order in which it is done. old_items: overdue before
    the cut-over (or today); without_level: those of them whose starting level nobody told."""

    company_id: int
    rules: SendingRules
    missing: tuple[str, ...]
    is_live: bool
    is_stopped: bool
    playbooks: int
    channels: tuple[str, ...]
    booked_until: date | None
    old_items: int
    without_level: int


def state(ctx: Context, company_id: int) -> CutOverState:
    """What is missing before the company can go live."""
    ctx = ctx.within(company_id)
    rules = rules_of(company_id, ctx.known_at)
    old = _old_items(ctx, rules.cutover_date)
    unknown = old.join(known_items(ctx), on="item_id", how="anti").height
    playbooks = len(in_force(company_id, ctx.known_at))
    ready, until = _channels(ctx), booked_until(ctx)
    live = rules.cutover_date is not None and ctx.as_of >= rules.cutover_date
    lacks = {
        NO_PLAYBOOK: not playbooks,
        NO_CHANNEL: not ready,
        NO_STATEMENT: until is None,
        NO_LEVELS: bool(unknown) and not live,
        NO_CUTOVER: rules.cutover_date is None,
    }
    return CutOverState(
        company_id, rules, tuple(code for code, is_lacking in lacks.items() if is_lacking), live,
        is_stopped(company_id, ctx.known_at), playbooks, ready, until, old.height, unknown,
    )  # fmt: skip


def _channels(ctx: Context) -> tuple[str, ...]:
    """Channels by which something can leave on its own: letters need hands, the portal needs a reader."""
    (company,) = companies(ctx)
    try:
        told = channels().of(company.code)
    except SaldoError:
        # The page of the channels says what is wrong with their file.
        return ()
    ready = {EMAIL: told.smtp or told.anymail, PEC: told.pec_smtp, SMS: told.sms}
    return tuple(channel for channel, account in ready.items() if account is not None)


def _old_items(ctx: Context, cutover_date: date | None) -> pl.DataFrame:
    """Open debits that fell due before the cut-over: item_id, account_id, late_days."""
    day = min(cutover_date or ctx.as_of, ctx.as_of)
    late = (pl.lit(ctx.as_of) - pl.col("due_date")).dt.total_days()
    return (
        open_debits(ctx)
        .filter(pl.col("due_date") < day)
        .select("item_id", "account_id", "due_date", late_days=late)
    )


def choose_levels(ctx: Context, company_id: int, starting: Starting) -> int:
    """Record the starting levels that a person chose; returns how many are new.

    Raises SaldoError: level_out_of_range, starting_bands_invalid (a later band with a lower level),
    item_unknown (an item that is not an old one).
    """
    _check(starting)
    ctx = ctx.within(company_id)
    old = _old_items(ctx, rules_of(company_id).cutover_date)
    strange = set(starting.items) - set(old["item_id"])
    if strange:
        raise SaldoError("item_unknown", item=min(strange))
    if starting.only_new:
        kept = known_items(ctx).filter(~pl.col("item_id").is_in(list(starting.items)))
        old = old.join(kept, on="item_id", how="anti")
    rows = [
        (account, item, starting.level_of(item, late), starting.reached_date or ctx.as_of)
        for item, account, late in old.select("item_id", "account_id", "late_days").iter_rows()
    ]
    return record_levels(ctx, company_id, pl.DataFrame(rows, schema=NEW_LEVELS, orient="row"), CHOSEN)


def _check(starting: Starting) -> None:
    levels = [*starting.bands.values(), *starting.items.values()]
    for level in levels:
        if not 0 <= level <= MAX_LEVEL:
            raise SaldoError("level_out_of_range", level=level, highest=MAX_LEVEL)
    bands = [starting.bands[days] for days in sorted(starting.bands)]
    if bands != sorted(bands) or any(days < 0 for days in starting.bands):
        told = ", ".join(f"{days}={starting.bands[days]}" for days in sorted(starting.bands))
        raise SaldoError("starting_bands_invalid", bands=told)


def go_live(
    ctx: Context,
    company_id: int,
    cutover_date: date,
    starting: Starting | None = None,
    accept_missing: bool = False,
    note: str = "",
) -> CutOverState:
    """Messages may leave from ``cutover_date`` on; old items start at the levels chosen.

    Raises SaldoError: cutover_in_the_past, cutover_too_far, cutover_not_ready (what is missing, unless
    accept_missing), and what ``choose_levels`` refuses.
    """
    if cutover_date < ctx.as_of:
        raise SaldoError("cutover_in_the_past", date=cutover_date, as_of=ctx.as_of)
    if (cutover_date - ctx.as_of).days > MAX_AHEAD_DAYS:
        raise SaldoError("cutover_too_far", date=cutover_date, days=MAX_AHEAD_DAYS)
    before = state(ctx, company_id)
    missing = [code for code in before.missing if code in NEEDED]
    if starting is None and NO_LEVELS in before.missing:
        missing.append(NO_LEVELS)
    if missing and not accept_missing:
        raise SaldoError("cutover_not_ready", missing=", ".join(missing))
    with transaction.atomic():
        if starting is not None:
            choose_levels(ctx, company_id, starting)
        change_rules(ctx, company_id, note, cutover_date=cutover_date)
        inner = stamped(ctx, company_id)
        data = {"cutover_date": cutover_date.isoformat(), "accepted": missing}
        record_event(inner, "sending.live", "company", company_id, data)
    return state(ctx, company_id)


# --- past reminders ---------------------------------------------------------------------------------


def import_reminders(ctx: Context, company_id: int, name: str, data: bytes) -> ImportResult:
    """Past reminders from a CSV or XLSX file: of each item its highest level, on that reminder's day.

    A document is named by its number in any spelling (core.matching.naming_document). A row whose customer
    or document is not known, whose number fits two documents dated until then, or dated after the context's
    day, is refused and the others are taken in; a row that says no more than what is known changes nothing,
    so that a file may be taken in again. Raises SaldoError for a file that is no table, or lacks a column.
    """
    ctx = ctx.within(company_id)
    told, rejections = read_reminders(data, name)
    accounts = accounts_of_codes(company_id, {one.customer_code for one in told})
    documents = _documents(list(set(accounts.values())))
    best: dict[int, tuple[int, date, int]] = {}
    used = 0
    for one in told:
        found = _items_of(one, accounts, documents, ctx.as_of)
        if isinstance(found, Rejection):
            rejections.append(found)
            continue
        used += 1
        account = accounts[one.customer_code]
        for item in found:
            best[item] = max(best.get(item, (-1, date.min, account)), (one.level, one.date, account))
    with transaction.atomic():
        document_id = keep_document(ctx, name, data)
        fresh = _higher(ctx, best)
        done = record_levels(ctx, company_id, fresh, IMPORTED)
        if done:
            inner = stamped(ctx, company_id)
            counts = {"items": done, "rejected": len(rejections), "document": document_id}
            record_event(inner, "levels.imported", "company", company_id, counts)
    rejections.sort(key=lambda one: one.row)
    counts = {"rows": used + len(rejections), "items": len(best), "new": done, "rejected": len(rejections)}
    return ImportResult(done, len(best) - done, 0, rejections, "done", counts=counts)


@dataclass(frozen=True, slots=True)
class _Documents:
    """books: by account. names, items: by document, (item, installment number) each."""

    books: Mapping[int, NumberBook]
    names: Mapping[int, str]
    items: Mapping[int, list[tuple[int, int]]]


def _documents(account_ids: list[int]) -> _Documents:
    by_account: dict[int, dict[int, tuple[int, str, date]]] = defaultdict(dict)
    names: dict[int, str] = {}
    items: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for account, document, number, day, item, no in documents_of(account_ids).iter_rows():
        by_account[account][document] = (document, number, day)
        names[document] = f"{number} ({day:%d/%m/%Y})"
        items[document].append((item, no))
    books = {account: NumberBook(list(told.values())) for account, told in by_account.items()}
    return _Documents(books, names, items)


def _items_of(
    one: ReminderSent,
    accounts: Mapping[str, int],
    documents: _Documents,
    as_of: date,
) -> list[int] | Rejection:
    params = {"customer": one.customer_code, "number": one.number}
    where = f"row {one.row}"
    if one.date > as_of:
        told = {"date": one.date, "as_of": as_of}
        return Rejection("reminder_in_the_future", where, one.excerpt, told, one.row)
    if one.customer_code not in accounts:
        return Rejection("reminder_customer_unknown", where, one.excerpt, params, one.row)
    book = documents.books.get(accounts[one.customer_code])
    named = book.named(one.number, one.date) if book else []
    if len(named) > 1:
        known = ", ".join(documents.names[each] for each in named[:NAMED_AT_MOST])
        return Rejection(
            "reminder_document_ambiguous", where, one.excerpt, params | {"known": known}, one.row
        )
    parts = documents.items[named[0]] if named else []
    items = [item for item, no in parts if one.installment_no in (None, no)]
    if not items:
        return Rejection("reminder_document_unknown", where, one.excerpt, params, one.row)
    return items


def _higher(ctx: Context, best: Mapping[int, tuple[int, date, int]]) -> pl.DataFrame:
    """NEW_LEVELS that say more than what was imported before."""
    rows = [(account, item, level, day) for item, (level, day, account) in sorted(best.items())]
    told = pl.DataFrame(rows, schema=NEW_LEVELS, orient="row")
    known = known_items(ctx).filter(pl.col("origin") == IMPORTED)
    joined = told.join(
        known.select("item_id", before="level", before_date="reached_date"), on="item_id", how="left"
    )
    says_more = (
        pl.col("before").is_null()
        | (pl.col("level") > pl.col("before"))
        | ((pl.col("level") == pl.col("before")) & (pl.col("reached_date") > pl.col("before_date")))
    )
    return joined.filter(says_more).select(*NEW_LEVELS)


def levels_by_account(ctx: Context, company_id: int) -> dict[int, dict[int, int]]:
    """{account: {level: old items}} as they stand, for the page on which a person chooses."""
    ctx = ctx.within(company_id)
    old = _old_items(ctx, rules_of(company_id).cutover_date)
    joined = old.join(known_items(ctx), on="item_id", how="left").with_columns(pl.col("level").fill_null(-1))
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for account, level, count in joined.group_by("account_id", "level").len().sort("account_id").iter_rows():
        found[account][level] = count
    return dict(found)
