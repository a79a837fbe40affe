"""The only place that reads the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

LEGAL_ZONE = ZoneInfo("Europe/Rome")


def now() -> datetime:
    return datetime.now(UTC)


def today() -> date:
    """The legal day in Italy, whatever the server's own zone."""
    return now().astimezone(LEGAL_ZONE).date()
