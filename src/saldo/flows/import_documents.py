"""Import: keep the bytes, read them, compare with the ledger, add what is new, say what was refused.

receive        keep the bytes and queue their reading
process        read a queued batch into the ledger
import_file    the two together, for the command line, tests and the demo
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date

import polars as pl
from django.db import transaction

from saldo.analytics.export_diff import ExportDiff, ExportRules, compare
from saldo.core.context import Context
from saldo.core.errors import Rejection, SaldoError
from saldo.core.money import decimal_text
from saldo.flows import erp_cash, import_bank, import_credit, reading
from saldo.flows.follow_erp import Followed, follow_erp
from saldo.flows.import_result import ImportResult
from saldo.flows.posting import Posting, Progress, post_changes, post_closures, post_new
from saldo.flows.reading import Told
from saldo.formats.tabular import (
    dump_toml,
    open_table,
    to_customers,
)
from saldo.identity.operations import record_event, stamped
from saldo.intake import operations as intake
from saldo.intake import queries as batches
from saldo.intake.operations import Reading
from saldo.ledger.queries import known_lines
from saldo.parties.operations import complete_customers, ensure_accounts
from saldo.storage.locks import importing, recording_session
from saldo.storage.statistics import analyze

# Above this many accounts in a file, reading the whole company is cheaper than asking for each.
FEW_ACCOUNTS = 5_000
LEDGER_TABLES = (
    "ledger_invoice", "ledger_payment", "ledger_item", "ledger_itemterms", "ledger_allocation",
    "ledger_item_open_projection", "ledger_invoicesighting", "parties_customeraccount", "parties_customer",
)  # fmt: skip


class _DryRun(Exception):
    """Ends a dry run's transaction so that everything in it is rolled back."""

    def __init__(self, result: ImportResult) -> None:
        self.result = result


def _no_progress(done: int, total: int) -> None:
    """For callers that do not watch."""


def receive(
    ctx: Context,
    name: str,
    data: bytes,
    kind: str,
    mapping: str | None = None,
    mapping_name: str = "",
    company_code: str | None = None,
    as_at: date | None = None,
) -> int:
    """Keep the bytes and queue their reading; returns the batch's id.

    mapping: a profile's name, its path, or its TOML text. It is checked now and kept written out, so that a
    later change of a profile does not change what this batch was read with.
    """
    profile = reading.mapping_of(mapping)
    if profile is None and kind in ("receivables", "customers"):
        raise SaldoError("mapping_needed", file=name)
    company = reading.company_asked(company_code)
    return intake.open_batch(
        ctx,
        name,
        data,
        Reading(
            kind=kind,
            mapping=dump_toml(profile) if profile else "",
            mapping_name=mapping_name or (profile.name if profile else ""),
            company_id=company.id if company else None,
            as_at=as_at,
        ),
    )


def import_file(
    ctx: Context,
    name: str,
    data: bytes,
    kind: str = "auto",
    mapping: str | None = None,
    company_code: str | None = None,
    as_at: date | None = None,
    dry_run: bool = False,
    accept_closures: bool = False,
    progress: Progress | None = None,
) -> ImportResult:
    """Receive and process one file. A dry run does everything and takes it back."""
    chosen = _kind_of(kind, mapping, name, data)

    def run() -> ImportResult:
        batch_id = receive(ctx, name, data, chosen, mapping, "", company_code, as_at)
        return process(ctx, batch_id, accept_closures=accept_closures, progress=progress)

    if not dry_run:
        return run()
    try:
        with transaction.atomic():
            raise _DryRun(run())
    except _DryRun as end:
        return replace(end.result, batch_id=None)


def _kind_of(kind: str, mapping: str | None, name: str, data: bytes) -> str:
    """The kind asked for, else the profile's, else what the content says."""
    profile = reading.mapping_of(mapping)
    if kind != "auto":
        return kind
    if profile is not None:
        return profile.kind
    for known in (import_bank.kind_by_content, import_credit.kind_by_content):
        if found := known(data, name):
            return found
    return "invoices"


def process(
    ctx: Context, batch_id: int, accept_closures: bool = False, progress: Progress | None = None
) -> ImportResult:
    """Read a batch into the ledger. What is refused is kept beside the document; an error ends the batch."""
    batch = batches.batch(batch_id)
    earlier = batches.same_reading_done(batch.document_id, batch.mapping, batch.company_id, batch.kind)
    # What these files add depends on the accounts known by then: they are read again, and add nothing twice.
    again = (*import_bank.KINDS, *import_credit.KINDS)
    if earlier is not None and not accept_closures and batch.kind not in again:
        return _already_done(ctx, batch_id, earlier)
    try:
        return _PROCESSES[batch.kind](ctx, batch, accept_closures, progress or _no_progress)
    except SaldoError as error:
        intake.finish_batch(ctx, batch_id, "failed", {}, error.text(ctx.language))
        raise


def _already_done(ctx: Context, batch_id: int, earlier: batches.BatchRow) -> ImportResult:
    kept = ("done", "unchanged", "rejected", "ignored", "rows")
    then = {name: int(earlier.counts.get(name, 0)) for name in kept}
    unchanged = then["done"] + then["unchanged"]
    counts = then | {"done": 0, "unchanged": unchanged, "closed": 0, "same_as": earlier.id}
    intake.finish_batch(ctx, batch_id, "done", counts)
    refused = batches.rejections_of(earlier.id, limit=then["rejected"])
    return ImportResult(0, unchanged, 0, refused, "done", batch_id, "", counts)


def _import_receivables(
    ctx: Context, batch: batches.BatchRow, accept_closures: bool, progress: Progress
) -> ImportResult:
    data = batches.document_bytes(batch.document_id)
    company = batch.company
    currency = reading.currency_of_company(ctx, company)
    if batch.kind == "invoices":
        told = reading.read_invoices(data, batch.document_name)
    else:
        profile = reading.mapping_of(batch.mapping + "\n")
        assert profile is not None, "a batch of receivables is kept with its mapping"
        told = reading.read_receivables(data, batch.document_name, profile, currency)
    rows = told.frame.height + len(told.rejections) + told.ignored
    told = reading.with_company(ctx, reading.without_received(ctx, told), company)
    for step in (
        lambda t: reading.with_consistent_money(t, currency),
        reading.with_due_dates,
    ):
        told = step(told)
    return _into_ledger(ctx, batch, told, rows, accept_closures, progress)


def _into_ledger(
    ctx: Context, batch: batches.BatchRow, told: Told, rows: int, accept_closures: bool, progress: Progress
) -> ImportResult:
    company_ids = sorted(told.frame["company_id"].unique().to_list())
    source_id = intake.ensure_source(told.source, batch.kind, told.posts_cash)
    intake.start_batch(batch.id, source_id, told.complete)
    last_day = batches.last_complete_day(source_id, batch.company_id, batch.mapping_name)
    day = ctx.at(batch.as_at_date)
    with ExitStack() as locks:
        locks.enter_context(importing(company_ids))
        locks.enter_context(recording_session(company_ids))
        # One instant for the whole file, taken under the locks: a day run sees all of it or nothing.
        day = replace(day, recorded_at=ctx.clock())
        told = _with_accounts(day, told)
        told = reading.with_keys(told)
        listed = told.frame["row"].n_unique()
        frame, on_account = erp_cash.without_tied(day, told.frame, company_ids, source_id, batch.document_id)
        told = replace(told, frame=frame)
        tied = listed - told.frame["row"].n_unique()
        known = known_lines(day, company_ids, source_id, _few_accounts(told))
        known = erp_cash.with_awaited(day, known, company_ids)
        rules = ExportRules(
            as_at=batch.as_at_date,
            complete=told.complete and not told.rejections,
            stale=last_day is not None and batch.as_at_date < last_day,
            kinds=told.kinds,
            amends=told.amends,
        )
        diff = compare(told.frame, known, rules)
        posting = Posting(source_id, batch.document_id, batch.as_at_date, last_day)
        post_new(day, diff, known, posting, progress)
        analyze(LEDGER_TABLES, diff.new.height)
        post_changes(day, diff, posting)
        closes = not diff.asks or accept_closures
        closed = post_closures(day, diff.vanished, posting) if closes else 0
        erp_cash.acknowledge_shown(day, diff, company_ids, source_id, batch.document_id)
        followed = None
        if closes:
            followed = follow_erp(day, company_ids, diff, batches.posts_cash(source_id), on_account)
    refused = [*told.rejections, *_conflict_rejections(diff)]
    return _finish(day, batch, told, diff, refused, rows, closed, not closes, company_ids, tied, followed)


def _few_accounts(told: Told) -> list[int] | None:
    if told.complete:
        return None
    accounts = told.frame["account_id"].unique().to_list()
    return accounts if len(accounts) <= FEW_ACCOUNTS else None


def _with_accounts(ctx: Context, told: Told) -> Told:
    """Rows with account_id; parties that are not known yet are made."""
    columns = {
        "customer_code": "customer_code",
        "customer_name": "customer_name",
        "customer_vat": "customer_vat",
        "customer_tax_code": "customer_tax_code",
        "customer_country": "country",
    }
    frame = told.frame.with_columns(pl.col(source).fill_null("").alias(source) for source in columns)
    kept, refused = reading.refuse(
        frame,
        pl.all_horizontal(pl.col(name) == "" for name in columns if name != "customer_country"),
        "row_customer_missing",
    )
    parties = kept.select("company_id", *columns).rename(columns).unique(maintain_order=True)
    with transaction.atomic():
        found = ensure_accounts(ctx, parties)
    keyed = found.rename({new: old for old, new in columns.items()})
    joined = kept.join(keyed, on=["company_id", *columns], how="left")
    return told.refusing(refused, joined)


def _conflict_rejections(diff: ExportDiff) -> list[Rejection]:
    return [
        Rejection(
            row["code"],
            f"row {row['row']}",
            row["excerpt"] or "",
            {
                "number": row["number"],
                "told": decimal_text(row["amount_mills"], row["currency"]),
                "known": decimal_text(row["known_amount_mills"], row["known_currency"]),
                "told_due": str(row["due_date"] or ""),
                "known_due": str(row["known_due_date"] or ""),
                "told_open": ""
                if row["open_mills"] is None
                else decimal_text(row["open_mills"], row["currency"]),
                "known_open": decimal_text(row["known_balance_mills"], row["known_currency"]),
            },
            row["row"],
        )
        for row in diff.conflicts.unique("row", keep="first", maintain_order=True).iter_rows(named=True)
    ]


def _counted(told: Told, diff: ExportDiff) -> tuple[int, int]:
    """Rows that recorded something, rows that said nothing new. A row of several installments is one row, so
    that the rows of the file are these two, the refused and the ignored ones."""
    changes = (diff.new, diff.due, diff.amount, diff.toward_zero, diff.reopened)
    changed = {row for change in changes for row in change["row"].unique().to_list()}
    refused = set(diff.conflicts["row"].unique().to_list())
    done = len(changed - refused)
    return done, told.frame["row"].n_unique() - done - len(refused)


def _finish(
    ctx: Context,
    batch: batches.BatchRow,
    told: Told,
    diff: ExportDiff,
    refused: list[Rejection],
    rows: int,
    closed: int,
    asks: bool,
    company_ids: Sequence[int],
    tied: int,
    followed: Followed | None,
) -> ImportResult:
    done, unchanged = _counted(told, diff)
    unchanged += tied
    counts = {
        "done": done,
        "unchanged": unchanged,
        "closed": closed,
        "rejected": len(refused),
        "ignored": told.ignored,
        "rows": rows,
        "new": diff.new.height,
        "amended": diff.due.height + diff.amount.height,
        "reduced": diff.toward_zero.height,
        "reopened": diff.reopened.height,
        "vanished": diff.vanished.height,
        "awaited": diff.awaited.height,
        "shown": diff.shown.len(),
        "tied": tied,
        "used": followed.used if followed else 0,
        "moved": followed.moved if followed else 0,
        "notices": len(told.notices),
    }
    status, message = "done", ""
    if asks:
        status = "asks"
        message = SaldoError("closures_ask", vanished=diff.vanished.height).text(ctx.language)
    elif not rows:
        message = SaldoError("no_rows").text(ctx.language)
    elif told.complete and refused:
        message = SaldoError("complete_with_refusals", rejected=len(refused)).text(ctx.language)
    with transaction.atomic():
        intake.keep_rejections(ctx, batch.id, refused)
        intake.finish_batch(ctx, batch.id, status, counts, message)
        for company_id in company_ids:
            record_event(ctx.within(company_id), "import.done", "batch", batch.id, counts)
    return ImportResult(
        done, unchanged, closed, refused, status, batch.id, message, counts, list(told.notices)
    )


def _import_customers(
    ctx: Context, batch: batches.BatchRow, accept_closures: bool, progress: Progress
) -> ImportResult:
    data = batches.document_bytes(batch.document_id)
    profile = reading.mapping_of(batch.mapping + "\n")
    assert profile is not None, "a batch of customers is kept with its mapping"
    raw = open_table(data, batch.document_name, profile)
    frame, rejections = to_customers(raw, profile)
    intake.start_batch(
        batch.id, intake.ensure_source(profile.source or profile.name, batch.kind, "erp"), False
    )
    told = Told(
        frame=frame.with_columns(company_vat=pl.lit(None, pl.String)),
        rejections=[*raw.rejections, *rejections],
        source=profile.name,
        creates_companies=profile.company.unknown == "create",
    )
    told = reading.with_company(ctx, told, batch.company)
    text = [name for name, kind in told.frame.schema.items() if kind == pl.String]
    filled = told.frame.with_columns(pl.col(text).fill_null(""))
    parties = filled.select(
        "company_id",
        "customer_code",
        "customer_name",
        pl.col("vat").alias("customer_vat"),
        pl.col("tax_code").alias("customer_tax_code"),
        "country",
    )
    with transaction.atomic():
        company_ids = sorted(filled["company_id"].unique().to_list())
        for company_id in company_ids:
            ctx = stamped(ctx, company_id)
        found = ensure_accounts(ctx, parties.unique(maintain_order=True))
        joined = filled.with_columns(customer_vat="vat", customer_tax_code="tax_code").join(
            found, on=parties.columns, how="left"
        )
        done, unchanged = complete_customers(ctx, joined)
        counts = {
            "done": done,
            "unchanged": unchanged,
            "closed": 0,
            "rejected": len(told.rejections),
            "ignored": raw.ignored,
            "rows": filled.height + len(told.rejections) + raw.ignored,
        }
        intake.keep_rejections(ctx, batch.id, told.rejections)
        intake.finish_batch(ctx, batch.id, "done", counts)
        for company_id in company_ids:
            record_event(ctx.within(company_id), "import.done", "batch", batch.id, counts)
    return ImportResult(done, unchanged, 0, told.rejections, "done", batch.id, "", counts)


_Process = Callable[[Context, batches.BatchRow, bool, Progress], ImportResult]
_PROCESSES: dict[str, _Process] = {
    "receivables": _import_receivables,
    "invoices": _import_receivables,
    "customers": _import_customers,
    "bank": import_bank.import_bank,
    "remittances": import_bank.import_bank,
    "balance_sheets": import_credit.import_credit,
    "ratings": import_credit.import_credit,
}


def confirm_closures(ctx: Context, batch_id: int, progress: Progress | None = None) -> ImportResult:
    """A person says that what vanished is closed indeed: read the batch again, closing it."""
    return process(ctx, batch_id, accept_closures=True, progress=progress)


def fail_batch(ctx: Context, batch_id: int, error: Exception) -> None:
    """Say on the batch that it ended by an unforeseen error: nobody waits for a batch that is not running."""
    intake.finish_batch(
        ctx,
        batch_id,
        "failed",
        {},
        SaldoError("import_crashed", problem=repr(error)[:300]).text(ctx.language),
    )
