"""Tell an ERP of the cash applied here: proposals where it posts cash itself, else the prima nota incassi."""

from __future__ import annotations

from dataclasses import dataclass

from saldo.cash import exports
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.formats.prima_nota import render
from saldo.intake.queries import SourceRow, erp_sources


@dataclass(frozen=True, slots=True)
class CashFile:
    """A file for an ERP: its name, its bytes, how many entries it has."""

    export_id: int
    name: str
    data: bytes
    entries: int
    source: SourceRow


def export_cash(ctx: Context, source_name: str | None = None) -> CashFile:
    """Keep and write what a source of the context's company has not been told of.

    Raises SaldoError: source_unknown (none, or several and no name), nothing_to_export.
    """
    source, main = _source(ctx, source_name)
    export_id = exports.next_export(ctx, source.id, main.id, source.posts_cash)
    return _file(ctx, export_id, source)


def export_again(ctx: Context, export_id: int) -> CashFile:
    """The same file again, byte by byte."""
    row = next((each for each in exports.exports(ctx, 10_000) if each.id == export_id), None)
    if row is None:
        raise SaldoError("cash_export_unknown", export=export_id)
    source, _ = _source(ctx, row.source)
    return _file(ctx, export_id, source)


def _source(ctx: Context, name: str | None) -> tuple[SourceRow, SourceRow]:
    """The source asked for, and the company's main one: that of the newest list of receivables."""
    assert ctx.company_id is not None, "an export is one company's"
    found = erp_sources(ctx.company_id)
    if not found:
        raise SaldoError("source_unknown", name=name or "-", known="-")
    known = ", ".join(each.name for each in found)
    if name is None:
        return found[0], found[0]
    chosen = next((each for each in found if each.name == name), None)
    if chosen is None:
        raise SaldoError("source_unknown", name=name, known=known)
    return chosen, found[0]


def _file(ctx: Context, export_id: int, source: SourceRow) -> CashFile:
    row = next(each for each in exports.exports(ctx, 10_000) if each.id == export_id)
    entries = exports.export_entries(ctx, export_id)
    kind = "prima-nota" if row.posts_cash == "saldo" else "proposte"
    name = f"{kind}-{source.name}-{row.number:05d}-{row.day:%Y%m%d}.csv"
    return CashFile(export_id, name, render(entries), len(entries), source)
