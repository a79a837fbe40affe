"""A JSON list of objects as a table: one row per object, one column per key.

Numbers keep the digits they are written with. Objects within objects become columns "outer.inner"; lists
become texts joined by ";".
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from saldo.core.errors import Rejection, SaldoError
from saldo.formats.tabular.headers import MAX_COLUMNS, ROW, unique_names
from saldo.formats.tabular.read import RawTable

MAX_NESTING = 4
_WRAPPERS = frozenset({"ratings", "rating", "data", "items", "results", "companies"})


class _Number(str):
    """The text of a JSON number."""

    __slots__ = ()


def looks_like_json(data: bytes) -> bool:
    return data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{")


def open_json(data: bytes, name: str) -> RawTable:
    """Reads a list of objects, such a list under a key ("ratings", "data"), or one object.

    Raises SaldoError where there is no table to speak of.
    """
    objects: list[tuple[int, dict[str, str]]] = []
    rejections: list[Rejection] = []
    try:
        tree = json.loads(
            data.decode("utf-8-sig"), parse_float=_Number, parse_int=_Number, object_pairs_hook=_without_loss
        )
        for row, entry in enumerate(_entries(tree), start=1):
            if isinstance(entry, dict) and entry:
                cells: dict[str, str] = {}
                _flatten(entry, "", cells, 0)
                objects.append((row, cells))
            else:
                excerpt = json.dumps(entry, ensure_ascii=False)
                rejections.append(Rejection("json_not_an_object", f"object {row}", excerpt, {}, row))
    # Lists in lists are read as deep as the parser goes, and unfolded no deeper than Python does.
    except (ValueError, RecursionError) as error:
        raise SaldoError("json_broken", name=name, problem=str(error)[:200]) from error
    keys = list(dict.fromkeys(key for _, cells in objects for key in cells))
    if len(keys) > MAX_COLUMNS:
        raise SaldoError("too_many_columns", columns=len(keys), limit=MAX_COLUMNS)
    if not keys:
        raise SaldoError("not_a_table", name=name)
    columns = unique_names(keys)
    rows = pl.Series(ROW, [row for row, _ in objects], dtype=pl.UInt32)
    texts = {
        column: pl.Series([cells.get(key) for _, cells in objects], dtype=pl.String)
        for column, key in zip(columns, keys, strict=True)
    }
    typed = {
        column: pl.Series([isinstance(cells.get(key), _Number) for _, cells in objects], dtype=pl.Boolean)
        for column, key in zip(columns, keys, strict=True)
    }
    frame = pl.DataFrame([rows, *(series.alias(column) for column, series in texts.items())])
    return RawTable(frame, columns, "utf-8", ";", rejections, name, typed=pl.DataFrame(typed))


def _without_loss(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object with every pair: a key that comes again gets a number, as headers do."""
    found: dict[str, Any] = {}
    copies: dict[str, int] = {}
    for key, value in pairs:
        name = key
        while name in found:
            copies[key] = copies.get(key, 1) + 1
            name = f"{key} ({copies[key]})"
        found[name] = value
    return found


def _entries(tree: Any) -> list[Any]:
    """The objects of a list; around a list, what the wrapper says counts for each of them."""
    if isinstance(tree, list):
        return tree
    if not isinstance(tree, dict):
        return [tree]
    wrapper = next((key for key in tree if key.lower() in _WRAPPERS and isinstance(tree[key], list)), None)
    if wrapper is None:
        return [tree]
    common = {key: value for key, value in tree.items() if not isinstance(value, (list, dict))}
    return [{**common, **entry} if isinstance(entry, dict) and entry else entry for entry in tree[wrapper]]


def _flatten(value: dict[str, Any], prefix: str, cells: dict[str, str], depth: int) -> None:
    for key, inner in value.items():
        if isinstance(inner, dict) and depth < MAX_NESTING:
            _flatten(inner, f"{prefix}{key}.", cells, depth + 1)
        elif (text := _text(inner)) is not None:
            cells[_characters(f"{prefix}{key}")] = text if isinstance(text, _Number) else _characters(text)


def _characters(text: str) -> str:
    """``text`` with half of a surrogate pair ("\\ud800"), which is no character, as a question mark."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(_inline(entry) for entry in value)
    return json.dumps(value, ensure_ascii=False)


def _inline(value: Any) -> str:
    """An entry of a list as one text; an object as its values."""
    if isinstance(value, dict):
        return " ".join(_inline(inner) for inner in value.values() if inner is not None)
    return _text(value) or ""
