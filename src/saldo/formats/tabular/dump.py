"""A mapping profile written out as TOML."""

from __future__ import annotations

from typing import Any

from saldo.formats.tabular.mapping import TOP_KEYS, Amount, Bank, Company, Extra, Format, Mapping
from saldo.formats.tabular.names import RECORD_KINDS


def dump_toml(mapping: Mapping) -> str:
    """The profile as TOML text that ``parse_profile`` reads back to an equal Mapping."""
    lines = [f"{key} = {_toml(getattr(mapping, key))}" for key in TOP_KEYS[:5] if getattr(mapping, key)]
    sections: list[tuple[str, dict[str, Any], object]] = [
        ("format", _fields(mapping.format), Format()),
        ("amount", _fields(mapping.amount), Amount()),
        ("company", _fields(mapping.company), Company()),
        ("bank", _fields(mapping.bank), Bank()),
        ("extra", _fields(mapping.extra), Extra()),
        ("export", _fields(mapping.export), None),
    ]
    columns: dict[str, Any] = dict(mapping.columns)
    if mapping.optional:
        columns["optional"] = mapping.optional
    tables = [("columns", columns), ("kinds", {"default": mapping.default_kind, **mapping.kinds})]
    tables += [("statuses", dict(mapping.statuses)), ("values", dict(mapping.values))]
    for section, values, default in sections:
        changed = {k: v for k, v in values.items() if default is None or v != getattr(default, k)}
        if section == "format":
            changed |= {k: values[k] for k in ("decimal", "thousands", "dates", "rows")}
        tables.append((section, changed))
    if mapping.kind in RECORD_KINDS:  # which know no types of documents and declare nothing of what is open
        tables = [entry for entry in tables if entry[0] not in ("kinds", "company", "export")]
    for section, table in sorted(tables, key=lambda entry: TOP_KEYS.index(entry[0])):
        if table:
            lines += [
                "",
                f"[{section}]",
                *(f"{_key(k)} = {_toml(v)}" for k, v in table.items() if v is not None),
            ]
    return "\n".join(lines) + "\n"


def _fields(record: Any) -> dict[str, Any]:
    return {key: getattr(record, key) for key in record.__dataclass_fields__}


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else _toml(key)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return _toml(value[0]) if len(value) == 1 else "[" + ", ".join(_toml(item) for item in value) + "]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
