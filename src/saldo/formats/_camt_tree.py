"""An element of a camt message as plain objects.

Of each entry dozens of paths are asked for, most of which are absent; asking lxml for each costs more than
copying the entry once and asking the copy. Paths are names joined by "/"; "*" is any name.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from lxml import etree


class Node:
    """An element without its namespace: tag, text, attributes, children in document order."""

    __slots__ = ("_attributes", "_by_tag", "children", "tag", "text")

    def __init__(self, tag: str, text: str | None, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.text = text
        self._attributes = attributes
        self.children: list[Node] = []
        self._by_tag: dict[str, list[Node]] = {}

    @classmethod
    def of(cls, element: etree._Element, without: str = "") -> Node:
        """A copy of ``element``, whose tree has local names, without its children called ``without``."""
        node = cls(str(element.tag), element.text, dict(element.items()))  # type: ignore[arg-type]
        children, by_tag = node.children, node._by_tag
        # As deep as the markup is, which the parser bounds long before Python's stack ends.
        for child in element:
            if child.tag == without:
                continue
            copied = cls.of(child)
            children.append(copied)
            if copied.tag in by_tag:
                by_tag[copied.tag].append(copied)
            else:
                by_tag[copied.tag] = [copied]
        return node

    def get(self, name: str) -> str | None:
        return self._attributes.get(name)

    def find(self, path: str) -> Node | None:
        """The first element at ``path`` (of names only), in document order."""
        node = self
        names = _names(path)
        for position, name in enumerate(names, start=1):
            found = node._by_tag.get(name)
            if found is None:
                return None
            if len(found) > 1 and position < len(names):
                # The first branch may end before the path does.
                return next(self.iterfind(path), None)
            node = found[0]
        return node

    def iterfind(self, path: str) -> Iterator[Node]:
        """The elements at ``path``, in document order."""
        first, _, rest = path.partition("/")
        found = self.children if first == "*" else self._by_tag.get(first, ())
        if not rest:
            yield from found
            return
        for child in found:
            yield from child.iterfind(rest)


@lru_cache(maxsize=1024)
def _names(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


def text_of(parent: Node | None, path: str) -> str | None:
    """The text at ``path`` below ``parent`` without surrounding spaces; None when absent or blank."""
    found = None if parent is None else parent.find(path)
    return ((found.text or "").strip() or None) if found is not None else None


def texts_of(parent: Node, path: str) -> tuple[str, ...]:
    """The distinct non-blank texts at ``path``, in document order."""
    found = (element.text.strip() for element in parent.iterfind(path) if element.text)
    return tuple(dict.fromkeys(text for text in found if text))
