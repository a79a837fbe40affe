"""Bank files into the database: bytes -> statements with their lines, remittance advices, flows of receipts.

kind_by_content    which import a file without a flag belongs to
read_bank          the bytes as one reading, tables by their profile
import_bank        a queued batch of kind "bank" or "remittances"

Each statement is a transaction of its own: one that is refused takes no other with it, and reading the file
again after its account was added brings exactly what was missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from saldo.cash.banks import BankAccountRow, accounts_named, bank_accounts
from saldo.cash.statements import CONFLICT, UNCHANGED, Kept, keep_remittances, keep_statement
from saldo.core.context import Context
from saldo.core.errors import Rejection, SaldoError
from saldo.flows import reading
from saldo.flows.collect import take_in_flow
from saldo.flows.import_result import ImportResult
from saldo.flows.posting import Progress
from saldo.formats.bank_records import BankStatement, CollectionFlow
from saldo.formats.correspondence import is_advice, read_as_remittance
from saldo.formats.detect import TABULAR_KINDS, contents_of, detect_kind, read_file
from saldo.formats.records import ReadResult
from saldo.formats.tabular import Mapping, read_records
from saldo.identity.queries import companies
from saldo.intake import operations as intake
from saldo.intake import queries as batches
from saldo.storage.statistics import analyze

KINDS = ("bank", "remittances")
_BANK_FORMATS = frozenset({"camt", "mt940", "cbi-rh", "cbi-riba", "ofx", "pain.002"})
_ADVICE_FORMATS = frozenset({"remt", "edifact", "pdf"})
_INVOICE_FORMATS = frozenset({"fatturapa", "fatturapa-p7m"})
_CONTAINERS = frozenset({"zip", "eml", "p7m"})
_FLOW_KINDS = frozenset({"riba-presented", "riba-outcomes", "sdd-outcomes"})
_REMITTANCE_KIND = "remittance"
_TABLES = ("cash_banktransaction", "cash_statement")


def kind_by_content(data: bytes, name: str) -> str | None:
    """ "bank", "remittances", or None for what is neither: e-invoices, lists of receivables."""
    kind = detect_kind(data, name)
    if kind in _BANK_FORMATS:
        return "bank"
    if kind in _ADVICE_FORMATS:
        return "remittances"
    if kind in TABULAR_KINDS:
        return "remittances" if is_advice(data, name, kind) else None
    if kind not in _CONTAINERS:
        return None
    inside = {document.kind for document in contents_of(data, name)[0]}
    if inside & _INVOICE_FORMATS:
        return None
    if inside & _BANK_FORMATS:
        return "bank"
    told = read_file(data, name)
    return "remittances" if any(record.kind == _REMITTANCE_KIND for record in told.records) else None


def read_bank(data: bytes, name: str, profile: Mapping | None) -> ReadResult:
    """The file's statements, advices and flows. Raises SaldoError where a table cannot be opened at all."""
    kind = detect_kind(data, name)
    if kind not in TABULAR_KINDS:
        return read_file(data, name)
    if profile is None and is_advice(data, name, kind):
        return read_as_remittance(data, name, kind)
    if profile is None:
        raise SaldoError("mapping_needed", file=name)
    return read_records(data, name, profile, kind)


@dataclass(slots=True)
class _Done:
    """What an import has done so far."""

    done: int = 0
    unchanged: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    rejections: list[Rejection] = field(default_factory=list)
    notices: list[Rejection] = field(default_factory=list)


def import_bank(
    ctx: Context, batch: batches.BatchRow, accept_closures: bool, progress: Progress
) -> ImportResult:
    """Read a queued batch. What is refused is kept beside the document; the rest goes on."""
    profile = reading.mapping_of(batch.mapping + "\n") if batch.mapping.strip() else None
    told = read_bank(batches.document_bytes(batch.document_id), batch.document_name, profile)
    source = (profile.source or profile.name) if profile else batch.kind
    intake.start_batch(batch.id, intake.ensure_source(source, batch.kind, "erp"), complete=False)
    ctx = replace(ctx, company_id=batch.company_id) if batch.company_id is not None else ctx
    state = _Done(rejections=list(told.rejections), notices=list(told.notices))
    accounts = bank_accounts(ctx)
    total = len(told.statements)
    for position, statement in enumerate(told.statements, start=1):
        _take_statement(ctx, batch, accounts, statement, state)
        progress(position, total)
    analyze(_TABLES, state.done)
    _take_remittances(ctx, batch, told.records, state)
    for flow in told.records:
        if flow.kind in _FLOW_KINDS:
            _take_flow(ctx, batch, flow, state)
        elif flow.kind != _REMITTANCE_KIND and flow.kind not in reading.CARRIER_KINDS:
            state.notices.append(_not_posted(flow.kind, batch.document_name))
    if told.invoices:
        state.notices.append(_not_posted("invoice", batch.document_name))
    return _finished(ctx, batch, state)


def _not_posted(kind: str, name: str) -> Rejection:
    return Rejection("record_not_posted", "", name, {"kind": kind})


def _take_statement(
    ctx: Context,
    batch: batches.BatchRow,
    accounts: Sequence[BankAccountRow],
    statement: BankStatement,
    state: _Done,
) -> None:
    """One statement: find its account, keep it, say what came of it."""
    state.notices += statement.notices
    where = ": ".join(part for part in (statement.source, f"statement {statement.position}") if part)
    found = accounts_named(accounts, statement.account, statement.currency)
    if len(found) != 1:
        state.rejections.append(_unplaced(found, statement, where))
        state.counts["statements_refused"] += 1
        return
    account = found[0]
    kept = keep_statement(ctx, account, statement, batch.document_id, batch.as_at_date)
    state.notices += kept.notices
    state.rejections += kept.rejections
    named = {"number": statement.number or "-", "account": account.label}
    if kept.outcome == CONFLICT:
        state.rejections.append(Rejection("statement_conflict", where, statement.account, named))
        state.counts["statements_refused"] += 1
        return
    state.done += kept.added
    state.unchanged += kept.known
    state.counts[f"statements_{kept.outcome}"] += 1
    if kept.outcome != UNCHANGED:
        state.counts[f"lines_{statement.kind}"] += kept.added
    if kept.is_quarantined:
        state.counts["statements_quarantined"] += 1
        params = named | {"statement": kept.statement_id, "reason": _reason(ctx, statement, kept)}
        state.rejections.append(Rejection("statement_quarantined", where, statement.account, params))


def _unplaced(found: Sequence[BankAccountRow], statement: BankStatement, where: str) -> Rejection:
    account = statement.account[:60] or "?"
    excerpt = f"{statement.account} {statement.number or ''}"
    if not found:
        return Rejection("statement_account_unknown", where, excerpt, {"account": account})
    names = ", ".join(one.iban or one.label for one in found)
    params = {"account": account, "accounts": names}
    return Rejection("statement_account_ambiguous", where, excerpt, params)


def _reason(ctx: Context, statement: BankStatement, kept: Kept) -> str:
    """Why it waits: the first doubt of the reader, or of the comparison with what is there."""
    doubts = (*kept.rejections, *kept.notices) if not statement.is_quarantined else statement.notices
    held = [one for one in doubts if one.code not in ("bank_text_clipped", "bank_lines_dated_by_statement")]
    return held[0].why(ctx.language) if held else "-"


def _take_remittances(ctx: Context, batch: batches.BatchRow, records: Sequence[Any], state: _Done) -> None:
    advices = [record for record in records if record.kind == _REMITTANCE_KIND]
    if not advices:
        return
    for advice in advices:
        state.notices += advice.notices
    ours = companies(ctx)
    if len(ours) != 1:
        params = {"companies": ", ".join(row.code for row in ours)}
        refused = Rejection("remittance_company_needed", "", batch.document_name, params)
        state.rejections += [replace(refused, excerpt=advice.payer_name or "") for advice in advices]
        return
    new, there = keep_remittances(ctx, ours[0].id, advices, batch.document_id, batch.as_at_date)
    state.done += new
    state.unchanged += there
    state.counts["remittances"] += new


def _take_flow(ctx: Context, batch: batches.BatchRow, flow: CollectionFlow, state: _Done) -> None:
    """A presented slip or its outcomes go to the collections. Nothing of a refused flow is taken in."""
    try:
        taken = take_in_flow(ctx, flow, batch.document_id)
    except SaldoError as error:
        state.rejections.append(Rejection(error.code, flow.source or flow.kind, flow.name, error.params))
        return
    state.notices += flow.notices
    state.done += taken.done
    state.unchanged += taken.unchanged
    state.rejections += taken.rejections
    state.notices += taken.notices
    state.counts["receipts"] += taken.done


def _finished(ctx: Context, batch: batches.BatchRow, state: _Done) -> ImportResult:
    rows = state.done + state.unchanged + len(state.rejections)
    counts = {
        "done": state.done,
        "unchanged": state.unchanged,
        "closed": 0,
        "rejected": len(state.rejections),
        "ignored": 0,
        "rows": rows,
        "notices": len(state.notices),
        **state.counts,
    }
    is_empty = not rows and not state.counts
    message = SaldoError("no_rows").text(ctx.language) if is_empty else ""
    intake.keep_rejections(ctx, batch.id, state.rejections)
    intake.finish_batch(ctx, batch.id, "done", counts, message)
    return ImportResult(
        state.done, state.unchanged, 0, state.rejections, "done", batch.id, message, counts, state.notices
    )
