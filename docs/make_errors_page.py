"""Makes docs/errors.md from the error catalogue: .venv/bin/python docs/make_errors_page.py

A test fails when the page is out of date, so run this after every change of src/saldo/core/errors.toml.
"""

from __future__ import annotations

from pathlib import Path

from saldo.core.errors import catalogue

PAGE = Path(__file__).parent / "errors.md"
HEAD = """# Errors

<!-- Made by docs/make_errors_page.py from src/saldo/core/errors.toml. Do not edit by hand. -->

Every error and every refusal that a person can meet, by its code. The code is in the JSON of the command
line (`code`); the web pages and the terminal show the text. Each says what happened and what to do.
Words in braces are filled in: `{column}` is the name of the column in your file.

In the two sentences of each language, the first says what happened, the second (in italics) what to do.
"""


def page() -> str:
    """The whole page; entries in the order of their codes."""
    return HEAD + "".join(_entry(code) for code in sorted(catalogue()))


def _entry(code: str) -> str:
    lines = [_line(code, language) for language in ("it", "en")]
    return f"\n## {code}\n\n" + "\n".join(lines) + "\n"


def _line(code: str, language: str) -> str:
    entry = catalogue()[code]
    why, remedy = (_markdown(entry[f"{part}_{language}"]) for part in ("why", "remedy"))
    return f"- **{language}**: {why} _{remedy}_"


def _markdown(text: str) -> str:
    """Plain text as Markdown: one line, and no sign that Markdown would take for its own."""
    line = " ".join(text.split())
    for sign in "\\*_<>[]":
        line = line.replace(sign, f"\\{sign}")
    return line


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
