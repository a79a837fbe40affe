"""The planner's statistics after bulk writes: PostgreSQL's own daemon comes minutes too late."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

# From this many new rows on the old statistics no longer describe the tables. Fewer are worth it where they
# are a large part of a small table: with a second company that the statistics did not know, queries took ten
# times as long.
WORTH_ANALYZING = 500
LARGE_PART = 0.1


def analyze(tables: Sequence[str], rows_written: int) -> None:
    """Refresh the statistics of ``tables`` when many rows were written, for what they held, or none were ever
    taken."""
    with connection.cursor() as cursor:
        if rows_written < WORTH_ANALYZING:
            cursor.execute(
                "SELECT min(reltuples) < 0 OR %s >= %s * max(reltuples) FROM pg_class"
                " WHERE relname = ANY(%s)",
                [rows_written, LARGE_PART, list(tables)],
            )
            (is_worth_it,) = cursor.fetchone()
            if not is_worth_it:
                return
        cursor.execute("ANALYZE " + ", ".join(tables))
