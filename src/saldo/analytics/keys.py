"""Keys of document numbers for a whole column: ``saldo.core.normalize.normalized_number``, vectorized.

Nearly every number is plain ASCII, for which a few regular expressions give the same key; the others go
through the function itself. A property test holds the two together.
"""

from __future__ import annotations

import polars as pl

from saldo.core.normalize import normalized_number

# Stands for the border between two numbers while the other separators are removed.
_BORDER = "\x1f"
_PLAIN = r"^[ -~]*$"


def normalized_numbers(numbers: pl.Series) -> pl.Series:
    """The key of each document number (text, no nulls)."""
    frame = numbers.to_frame("number")
    plain = pl.col("number").str.contains(_PLAIN)
    keyed = frame.with_columns(pl.when(plain).then(_ascii_key(pl.col("number"))).alias("key"))
    odd = keyed["key"].is_null()
    if not odd.any():
        return keyed["key"].rename(numbers.name)
    slow = pl.Series([normalized_number(text) for text in numbers.filter(odd)], dtype=pl.String)
    positions = odd.arg_true()
    return keyed["key"].scatter(positions, slow).rename(numbers.name)


def _ascii_key(number: pl.Expr) -> pl.Expr:
    border = rf"([0-9])[^a-z0-9{_BORDER}]+([0-9])"
    return (
        number.str.to_lowercase()
        # Twice: in 1-2-3 the matches share the digit between them.
        .str.replace_all(border, rf"${{1}}{_BORDER}${{2}}")
        .str.replace_all(border, rf"${{1}}{_BORDER}${{2}}")
        .str.replace_all(rf"[^a-z0-9{_BORDER}]+", "")
        .str.replace_all(rf"(^|[a-z{_BORDER}])0+([0-9])", "${1}${2}")
        .str.replace_all(_BORDER, "/", literal=True)
    )
