"""The planner's statistics after bulk writes: PostgreSQL's own daemon comes minutes too late."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

# Below this many new rows the old statistics still describe the tables.
WORTH_ANALYZING = 500


def analyze(tables: Sequence[str], rows_written: int) -> None:
    """Refresh the statistics of ``tables`` when many rows were written or none were ever taken."""
    with connection.cursor() as cursor:
        if rows_written < WORTH_ANALYZING:
            cursor.execute(
                "SELECT count(*) FROM pg_class WHERE relname = ANY(%s) AND reltuples < 0", [list(tables)]
            )
            (never_analyzed,) = cursor.fetchone()
            if not never_analyzed:
                return
        cursor.execute("ANALYZE " + ", ".join(tables))
