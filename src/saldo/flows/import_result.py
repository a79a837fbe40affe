"""What an import did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from saldo.core.errors import Rejection


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Rows that wrote something, rows that said nothing new, lines closed, refusals.

    For bank files the rows are lines of statements, receipts of flows and remittance advices.
    """

    done: int
    unchanged: int
    closed: int
    rejections: list[Rejection]
    status: str
    batch_id: int | None = None
    message: str = ""
    counts: dict[str, Any] = field(default_factory=dict)
    notices: list[Rejection] = field(default_factory=list)
