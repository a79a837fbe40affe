"""Training: the company's models are learnt anew from what is known, judged, kept, and put to use.

    the book -> each engine's own backtest and final fit -> the registry -> promoted, or not and why
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from saldo.analytics.book import SCHEMAS, Book
from saldo.core.context import Context
from saldo.flows.books import gather_book
from saldo.identity.model_versions import ModelRow, model_version
from saldo.identity.operations import fix_known_at
from saldo.identity.registry import promote, record_model

PAYMENT_DATE = "payment_date"
_HASHED_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class Learnt:
    """What an engine learnt: the rung to use with its record, what it was judged by, and why this one."""

    rung: str
    record: dict[str, Any]
    parameters: dict[str, Any]
    metrics: dict[str, Any]
    reason: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trained:
    """What became of an engine. promoted: it came into use now; else it was in use already, word for word.

    reason: {code, params}, why the rung was chosen.
    """

    engine: str
    model: ModelRow
    promoted: bool
    reason: dict[str, Any]
    metrics: dict[str, Any]


def train(
    ctx: Context, company_id: int, engines: Sequence[str] = (PAYMENT_DATE,), promotes: bool = True
) -> list[Trained]:
    """Learn the company's models as of ``ctx.as_of``, from what is known now (or at ``ctx.known_at``).

    The rung that a backtest on the company's own past chose is fitted on everything known and kept with its
    figures. A small book keeps a simple rung, and the reason says so.
    """
    ctx = ctx.within(company_id)
    if ctx.known_at is None:
        ctx = fix_known_at(ctx, company_id)
    book = gather_book(ctx)
    data_hash = hash_of_book(book)
    trained = []
    for engine in engines:
        learnt = _ENGINES[engine](ctx, book)
        version_id = record_model(
            ctx, company_id, engine, learnt.rung, learnt.record, learnt.parameters, learnt.metrics,
            data_hash, ctx.as_of,
        )  # fmt: skip
        is_new = promotes and promote(ctx, company_id, engine, version_id, learnt.reason["code"])
        trained.append(Trained(engine, model_version(version_id), is_new, learnt.reason, learnt.metrics))
    return trained


def _learn_payment_date(ctx: Context, book: Book) -> Learnt:
    from saldo.analytics.payment_date.promotion import train as train_payment_date

    trained = train_payment_date(book, ctx.as_of)
    metrics = trained.report.as_json()
    record = trained.fitted.as_record()
    return Learnt(trained.fitted.name, record, {}, metrics, metrics["why"])


_ENGINES: dict[str, Callable[[Context, Book], Learnt]] = {PAYMENT_DATE: _learn_payment_date}


def hash_of_book(book: Book) -> str:
    """Names the facts that a model has seen: the same facts, the same hash, on any machine."""
    digest = hashlib.sha256(repr((book.known_from, book.extra)).encode())
    for name in SCHEMAS:
        frame: pl.DataFrame = getattr(book, name)
        digest.update(f"{name} {frame.columns}".encode())
        for start in range(0, frame.height, _HASHED_ROWS):
            digest.update(frame.slice(start, _HASHED_ROWS).write_csv(None, include_header=False).encode())
    return digest.hexdigest()
