"""Plain text that holds aligned tables: writing one, finding it again, and the HTML of it.

A message is plain text from beginning to end, so that a person can change it and what was sent can be read
as it is. A table in it is a header, a rule of dashes under each column, and rows; the rule says where the
columns are, so that a letter or an HTML part can set the same table properly.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape

_RULE = re.compile(r"^-+(?:  -+)*$")
_GAP = "  "
_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")
_CELL = "padding:4px 12px 4px 0;border-bottom:1px solid #d8d8d8;vertical-align:top"
_HEAD = "padding:4px 12px 4px 0;border-bottom:2px solid #888888;font-weight:600"


@dataclass(frozen=True, slots=True)
class Paragraph:
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """header, rows and footer (totals) with as many cells each as ``right`` has: true, set to the right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    footer: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]


def aligned(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int],
    footer: Sequence[Sequence[str]] = (),
) -> str:  # fmt: skip
    """The table as text. right: positions of the columns set to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, *footer, strict=True)]
    rule = _GAP.join("-" * width for width in widths)

    def line(cells: Sequence[str]) -> str:
        placed = (
            cell.rjust(width) if n in right else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return _GAP.join(placed).rstrip()

    lines = [line(header), rule, *map(line, rows)]
    if footer:
        lines += [rule, *map(line, footer)]
    return "\n".join(lines)


def blocks(text: str) -> list[Paragraph | Table]:
    """The paragraphs and tables of a text, in order. What only looks like a table is a paragraph."""
    found: list[Paragraph | Table] = []
    for part in re.split(r"\n[ \t]*\n", text.strip("\n")):
        lines = part.split("\n")
        rule = next((n for n, line in enumerate(lines) if n and _RULE.match(line.rstrip())), None)
        if rule is None or rule + 1 >= len(lines):
            found.append(Paragraph(tuple(line.rstrip() for line in lines)))
            continue
        if rule > 1:
            found.append(Paragraph(tuple(line.rstrip() for line in lines[: rule - 1])))
        found.append(_table(lines[rule - 1 :]))
    return found


def _table(lines: list[str]) -> Table:
    spans = [match.span() for match in re.finditer("-+", lines[1])]
    end = next((n for n, line in enumerate(lines) if n > 1 and _RULE.match(line.rstrip())), len(lines))
    # The last column takes what stands beyond it, and each what stands in the gap before the next.
    bounds = [(start, spans[n + 1][0] if n + 1 < len(spans) else None) for n, (start, _) in enumerate(spans)]

    def cells(line: str) -> tuple[str, ...]:
        return tuple(line[start:stop].strip(" ") for start, stop in bounds)

    body = [lines[0], *lines[2:end], *lines[end + 1 :]]
    right = tuple(_is_right(body, start, stop) for start, stop in spans)
    rows, footer = map(cells, lines[2:end]), map(cells, lines[end + 1 :])
    return Table(cells(lines[0]), tuple(rows), tuple(footer), right)


def _is_right(lines: Sequence[str], start: int, stop: int) -> bool:
    """Whether a column is set to the right: no cell ends before its edge, and one begins after it."""
    parts = [line[start:stop].ljust(stop - start) for line in lines if line[start:stop].strip(" ")]
    ends = all(part[-1] != " " for part in parts)
    return ends and (
        any(part[0] == " " for part in parts) or all(part[-1] in "0123456789€$£" for part in parts[1:])
    )


def html_of(text: str, title: str = "") -> str:
    """The text as an HTML document for a mail's second part: paragraphs, tables, links."""
    body = "\n".join(
        _html_table(block) if isinstance(block, Table) else f"<p>{_html_lines(block.lines)}</p>"
        for block in blocks(text)
    )
    return (
        '<!doctype html>\n<html><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title></head>\n"
        '<body style="font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:1.5;color:#1a1a1a;'
        f'max-width:680px">\n{body}\n</body></html>\n'
    )


def _html_lines(lines: Sequence[str]) -> str:
    return "<br>\n".join(_linked(line) for line in lines)


def _linked(line: str) -> str:
    made, done = [], 0
    for match in _LINK.finditer(line):
        link = escape(match.group())
        made += [escape(line[done : match.start()]), f'<a href="{link}">{link}</a>']
        done = match.end()
    return "".join([*made, escape(line[done:])])


def _html_table(table: Table) -> str:
    def row(cells: Sequence[str], tag: str, style: str) -> str:
        made = (
            f'<{tag} style="{style};text-align:{"right" if right else "left"}">{escape(cell)}</{tag}>'
            for cell, right in zip(cells, table.right, strict=True)
        )
        return f"<tr>{''.join(made)}</tr>"

    lines = [row(table.header, "th", _HEAD), *(row(cells, "td", _CELL) for cells in table.rows)]
    lines += [row(cells, "td", f"{_CELL};font-weight:600") for cells in table.footer]
    return '<table style="border-collapse:collapse;font-size:13px">\n' + "\n".join(lines) + "\n</table>"
