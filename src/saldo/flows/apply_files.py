"""Cash after an import: a bank file read and its lines applied, and whose cash a batch may have moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from saldo.cash.frames import companies_with_lines, lines_of_document
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.flows import import_bank, reading
from saldo.flows.apply_cash import CashResult, apply_cash
from saldo.flows.import_documents import import_file
from saldo.flows.import_result import ImportResult
from saldo.identity.queries import companies_of_event
from saldo.intake import queries as batches

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class FileApplied:
    """A file as it was imported, and the run of each company that it has lines of."""

    imported: ImportResult
    runs: list[CashResult]


class _DryRun(Exception):
    """Ends a dry run's transaction so that everything in it is rolled back."""


def apply_file(
    ctx: Context,
    name: str,
    data: bytes,
    mapping: str | None = None,
    company_code: str | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> FileApplied:
    """Import a bank file and apply its lines, those too that an earlier import of it left open.

    Raises SaldoError: cash_file_not_bank, and what an import raises.
    """
    profile = reading.mapping_of(mapping)
    kind = profile.kind if profile else import_bank.kind_by_content(data, name)
    if kind != "bank":
        raise SaldoError("cash_file_not_bank", file=name)

    def run() -> FileApplied:
        imported = import_file(ctx, name, data, kind, mapping, company_code)
        assert imported.batch_id is not None
        by_company = lines_of_document(batches.batch(imported.batch_id).document_id)
        runs = [
            apply_cash(ctx, company_id, transaction_ids=line_ids, progress=progress)
            for company_id, line_ids in sorted(by_company.items())
        ]
        return FileApplied(imported, runs)

    if not dry_run:
        return run()
    told: list[FileApplied] = []
    try:
        with transaction.atomic():
            told.append(run())
            raise _DryRun
    except _DryRun:
        return told[0]


def apply_open(ctx: Context, dry_run: bool = False, progress: Progress | None = None) -> list[CashResult]:
    """Apply the open lines of every company, or of the context's."""
    companies = [ctx.company_id] if ctx.company_id is not None else companies_with_lines()
    return [apply_cash(ctx, company_id, dry_run=dry_run, progress=progress) for company_id in companies]


def companies_of_batch(batch_id: int) -> list[int]:
    """The companies whose cash may be applied otherwise after a batch: those that its lines and advices are
    of, or whose items it changed."""
    batch = batches.batch(batch_id)
    if batch.kind in import_bank.KINDS:
        found = set(lines_of_document(batch.document_id, only_open=False))
        return sorted(found | ({batch.company_id} if batch.company_id else set()))
    return companies_of_event("import.done", "batch", batch_id)
