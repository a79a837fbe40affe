"""The text of an HTML mail as a person sees it, quoted blocks marked with ">" like in a plain one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lxml import etree

# Mail programs write at most some hundred KB; the rest would be styles or an attack.
MAX_HTML_CHARACTERS = 1_000_000

_BLOCKS = frozenset(
    {"p", "div", "tr", "table", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "hr", "section",
     "article", "header", "footer", "address", "blockquote", "body", "center", "dl", "dt", "dd"}
)  # fmt: skip
_HIDDEN = frozenset({"style", "script", "head", "title", "template"})


class _Text:
    """Told of tags and texts by the parser, which takes linear time whatever it is fed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line: list[str] = []
        self.hidden = 0
        self.quotes = 0

    def start(self, tag: str, attrs: Mapping[str, str]) -> None:
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
            name == "id" and value in ("divRplyFwdMsg", "appendonsend") for name, value in attrs.items()
        ):
            self.lines.append("-----Original Message-----")

    def end(self, tag: str) -> None:
        if tag in _HIDDEN:
            self.hidden = max(0, self.hidden - 1)
        elif tag in _BLOCKS:
            self.end_line()
        if tag == "blockquote":
            self.quotes = max(0, self.quotes - 1)

    def data(self, data: str) -> None:
        if not self.hidden:
            self.line.append(data)

    def close(self) -> None:
        self.end_line()

    def end_line(self) -> None:
        text = re.sub(r"[ \t\r\n\f\u00a0]+", " ", "".join(self.line)).strip()
        self.line = []
        if text or (self.lines and self.lines[-1]):
            self.lines.append(("> " * min(self.quotes, 1) + text) if text else "")


def html_text(html: str) -> str:
    """The visible text of ``html``, one line a block. Never raises: markup that is none is text."""
    reader = _Text()
    # The stubs ask for more than the library does: comments may be left out.
    target: Any = reader
    parser = etree.HTMLParser(target=target, encoding="utf-8", no_network=True)
    try:
        parser.feed(html[:MAX_HTML_CHARACTERS].replace("\x00", "").encode("utf-8", errors="replace"))
        parser.close()
    except (etree.LxmlError, AssertionError, ValueError):
        reader.end_line()
    return "\n".join(reader.lines).strip("\n")
