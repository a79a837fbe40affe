"""Frames in and out of PostgreSQL by COPY, on Django's own connection.

The same connection means the same transaction: a flow reads what it has just written, and a test sees its
own rows. Text is copied as CSV; NULL is the unquoted empty field, an empty string is quoted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from django.db import connection

Schema = Mapping[str, pl.DataType | type[pl.DataType]]
CHUNK_ROWS = 100_000


@contextmanager
def _driver_cursor() -> Iterator[Any]:
    """psycopg's own cursor: Django's wrapper for debugging does not pass parameters to COPY. What it
    raises is Django's error all the same, so that who lost a race in a COPY is tried again like anybody else.
    """
    with connection.cursor() as wrapped, connection.wrap_database_errors:
        yield wrapped.cursor


def copy_out(sql: str, params: Mapping[str, Any] | Sequence[Any], schema: Schema) -> pl.DataFrame:
    """The rows of a SELECT as a frame with ``schema``'s columns, in that order and of those types.

    Instants (pl.Datetime) must be selected as text in ISO form by the caller; dates and integers as they are.
    """
    # psycopg binds the parameters on the client: COPY takes none on the server.
    statement = f"COPY ({sql}) TO STDOUT (FORMAT csv)"
    with _driver_cursor() as cursor, cursor.copy(statement, params) as copy:
        data = b"".join(bytes(block) for block in copy)
    if not data:
        return pl.DataFrame(schema=schema)
    frame = pl.read_csv(
        data,
        has_header=False,
        new_columns=list(schema),
        schema={name: _readable(kind) for name, kind in schema.items()},
    )
    booleans = [name for name, kind in schema.items() if kind == pl.Boolean]
    return frame.with_columns(pl.col(booleans) == "t") if booleans else frame


def _readable(kind: Any) -> Any:
    """PostgreSQL writes booleans as t and f, which read_csv takes for text."""
    return pl.String if kind == pl.Boolean else kind


def copy_in(table: str, frame: pl.DataFrame) -> int:
    """Append ``frame`` to ``table`` (columns by name) and return the number of rows.

    Columns ending in ``_mills`` go to the column without the suffix, as exact decimals.
    """
    if frame.is_empty():
        return 0
    columns = ", ".join(f'"{name.removesuffix("_mills")}"' for name in frame.columns)
    statement = f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)"
    mills = [decimal_of_mills(name) for name in frame.columns if name.endswith("_mills")]
    ready = frame.with_columns(mills) if mills else frame
    for start in range(0, ready.height, CHUNK_ROWS):
        block = ready.slice(start, CHUNK_ROWS).write_csv(None, include_header=False, quote_style="necessary")
        with _driver_cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(block.encode())
    return frame.height


@cache
def decimal_of_mills(column: str) -> pl.Expr:
    """A column of mills as exact decimal text: -1234 becomes "-1.234"."""
    mills = pl.col(column)
    size = mills.abs()
    text = pl.concat_str(
        pl.when(mills < 0).then(pl.lit("-")).otherwise(pl.lit("")),
        (size // 1000).cast(pl.String),
        pl.lit("."),
        (size % 1000).cast(pl.String).str.zfill(3),
    )
    return pl.when(mills.is_null()).then(None).otherwise(text).alias(column)


def reserve_ids(table: str, count: int) -> pl.Series:
    """``count`` fresh ids of ``table``, so that rows that refer to each other can be copied in at once."""
    if count == 0:
        return pl.Series("id", [], dtype=pl.Int64)
    with connection.cursor() as cursor:
        # One row with all of them: a row each costs more to receive than to make.
        cursor.execute(
            "SELECT string_agg(nextval(s.name)::text, ',')"
            " FROM (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS name OFFSET 0) s,"
            " generate_series(1, %s)",
            [table, count],
        )
        (ids,) = cursor.fetchone()
    return pl.Series("id", np.fromstring(ids, dtype=np.int64, sep=","))
