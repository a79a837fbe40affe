"""The models of the payment date, from the simplest up: the same questions, answered by each of them.

A rung is fitted on a book as known on a day, and then asked for the curves of landmarks: items on the evening
of a day. It may look at what was known of the item's own account by the landmark's day, which can be later
than the day it was fitted; never at anything later, and never at other accounts, so that one account's page
can be computed from that account's facts alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol

import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.curves import Curves


class Fitted(Protocol):
    """A rung that was fitted. name: one of NAMES; as_of: the last day whose facts it was fitted on."""

    @property
    def name(self) -> str: ...

    @property
    def as_of(self) -> date: ...

    def curves(self, book: Book, landmarks: pl.DataFrame) -> Curves:
        """The curves of ``landmarks`` (LANDMARKS), in their order, from facts known by each one's as_of."""
        ...

    def as_record(self) -> dict[str, Any]:
        """All of it as JSON values; ``from_record`` of its module makes it again. Never a pickle."""
        ...


class Rung(Protocol):
    """How to fit a rung, and how to make it again from its record."""

    @property
    def name(self) -> str: ...

    def fit(self, book: Book, as_of: date) -> Fitted:
        """Fitted on what was known on the evening of ``as_of``. Raises ValueError where it cannot be."""
        ...

    def from_record(self, record: Mapping[str, Any]) -> Fitted: ...
