"""The documentation holds: the error page is current, links lead somewhere, every command is described."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from docs.make_errors_page import PAGE, page
from saldo.interfaces.commands.main import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)


def test_the_error_page_is_made_from_the_catalogue_of_today() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run .venv/bin/python docs/make_errors_page.py"


def _links(path: Path) -> list[str]:
    return LINK.findall(CODE.sub("", FENCED.sub("", path.read_text(encoding="utf-8"))))


@cache
def _anchors(path: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub and GitLab make them."""
    text = FENCED.sub("", path.read_text(encoding="utf-8"))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(text))
    return frozenset(heading.replace(" ", "-") for heading in plain)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    broken = []
    for link in _links(path):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if (
            not target.is_relative_to(ROOT)
            or not target.exists()
            or (anchor and anchor not in _anchors(target))
        ):
            broken.append(link)
    assert not broken


def test_the_index_names_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / link.partition("#")[0]).resolve() for link in _links(index)}
    assert not [
        path for path in PAGES if path not in named and path != index and path.is_relative_to(index.parent)
    ]


def _commands(group: click.Group, path: tuple[str, ...] = ("saldo",)) -> Iterator[tuple[str, click.Command]]:
    """Every command one can run, with its words: ("saldo mapping suggest", command)."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def _sections(text: str) -> dict[str, str]:
    """The page's sections whose heading is a command, by that command."""
    parts = re.split(r"^#{2,3} `(saldo [a-z -]+)`\s*$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_and_option_is_described() -> None:
    told = _sections((ROOT / "docs" / "cli.md").read_text(encoding="utf-8"))
    real = dict(_commands(main))
    assert sorted(told) == sorted(real)
    silent = [
        f"{words} {option}"
        for words, command in real.items()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--") and f"`{option}" not in told[words]
    ]
    assert not silent
