"""The text of an HTML mail as a person sees it, quoted blocks marked with ">" like in a plain one."""

from __future__ import annotations

import re
from html.parser import HTMLParser

# Mail programs write at most some hundred KB; the rest would be styles or an attack.
MAX_HTML_CHARACTERS = 1_000_000

_BLOCKS = frozenset(
    {"p", "div", "tr", "table", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "hr", "section",
     "article", "header", "footer", "address", "blockquote", "body", "center", "dl", "dt", "dd"}
)  # fmt: skip
_HIDDEN = frozenset({"style", "script", "head", "title", "template"})


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.line: list[str] = []
        self.hidden = 0
        self.quotes = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self.hidden = 0  # many a head is never closed
        if tag in _HIDDEN:
            self.hidden += 1
        elif tag == "br" or tag in _BLOCKS:
            self.end_line()
        elif tag in ("td", "th") and self.line:
            self.line.append("  ")
        if tag == "blockquote":
            self.quotes += 1
        if tag == "div" and any(
            name == "id" and value in ("divRplyFwdMsg", "appendonsend") for name, value in attrs
        ):
            self.lines.append("-----Original Message-----")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self.hidden = max(0, self.hidden - 1)
        elif tag in _BLOCKS:
            self.end_line()
        if tag == "blockquote":
            self.quotes = max(0, self.quotes - 1)

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.line.append(data)

    def end_line(self) -> None:
        text = re.sub(r"[ \t\r\n\f\u00a0]+", " ", "".join(self.line)).strip()
        self.line = []
        if text or (self.lines and self.lines[-1]):
            self.lines.append(("> " * min(self.quotes, 1) + text) if text else "")


def html_text(html: str) -> str:
    """The visible text of ``html``, one line a block. Never raises: markup that is none is text."""
    reader = _Text()
    try:
        reader.feed(html[:MAX_HTML_CHARACTERS])
        reader.close()
    except (AssertionError, ValueError, RecursionError):
        pass
    reader.end_line()
    return "\n".join(reader.lines).strip("\n")
