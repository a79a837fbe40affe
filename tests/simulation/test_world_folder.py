"""A world as a folder: the same bytes each time, and every file reads back but for what was planted."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from saldo.core.errors import SaldoError
from saldo.formats.detect import read_file
from saldo.interfaces.commands.reading import table_json
from saldo.simulation.files.folder import write_folder
from saldo.simulation.world.parameters import load
from saldo.simulation.world.world import World
from saldo.simulation.world_command import LAST_DAY, world

SEED = 4


def nothing(title: str) -> None:
    assert title


def write(to: Path) -> None:
    made = World.make("small", SEED, LAST_DAY)
    write_folder(made.tables(), load().size("small"), SEED, LAST_DAY, to, nothing)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("world")
    write(to)
    return to


def entries(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "truth" / "manifest.json").read_text())["files"]


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read(folder: Path, entry: dict[str, Any]) -> dict[str, Any]:
    path = folder / entry["path"]
    if entry["mapping"]:
        mapping = str(folder / entry["mapping"]) if "/" in entry["mapping"] else entry["mapping"]
        return table_json(path.read_bytes(), path.name, mapping)
    return read_file(path.read_bytes(), path.name).as_json("en")


def found(told: dict[str, Any]) -> Counter[str]:
    """Codes of what was refused, or put in quarantine."""
    held = [statement for statement in told["statements"] if statement["is_quarantined"]]
    codes = [notice["code"] for statement in held for notice in statement["notices"]]
    return Counter([rejection["code"] for rejection in told["rejections"]] + codes)


def test_the_same_world_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "again")
    assert hashes(folder) == hashes(tmp_path / "again")


def test_every_file_reads_back_but_for_the_planted_faults(folder: Path) -> None:
    formats: Counter[str] = Counter()
    for entry in entries(folder):
        if "/mappings/" in entry["path"]:
            continue
        told = read(folder, entry)
        assert found(told) == Counter(entry["refusals"]), entry["path"]
        content = [*told["invoices"], *told["statements"], *told.get("records", [])]
        # On a day on which nothing happened an ERP sends its headers.
        assert content or entry["refusals"] or "FBL5N" in entry["path"], entry["path"]
        formats[told["format"]] += 1
    assert set(formats) >= {
        "fatturapa", "camt.053", "camt.054", "mt940", "cbi-rh", "cbi-riba", "sdi-message", "eml", "pdf",
        "xlsx", "csv", "xbrl",
    }  # fmt: skip


def test_the_planted_faults_are_there(folder: Path) -> None:
    planted = Counter[str]()
    for entry in entries(folder):
        planted.update(entry["refusals"])
    assert planted["xml_truncated"] == 1
    assert planted["bank_statement_unbalanced"] >= 1
    assert planted["missing_customer"] == 2


def test_a_folder_that_holds_something_else_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SaldoError) as refused:
        write(tmp_path)
    assert refused.value.code == "folder_not_empty"
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        world, ["write", "--size", "small", "--seed", "4", "--to", str(tmp_path / "w"), "--json"]
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["files"] == len(entries(tmp_path / "w")) > 500
    assert told["tables"]["customers"] == 60


@pytest.mark.parametrize("day", ["0001-01-01", "1999-12-31", "2099-01-01", "9999-12-31", "2026-02-29"])
def test_a_day_that_no_world_can_end_on_is_refused(tmp_path: Path, day: str) -> None:
    result = CliRunner().invoke(world, ["write", "--last-day", day, "--to", str(tmp_path / "w")])
    assert result.exit_code == 2
    assert "--last-day" in result.stderr and not (tmp_path / "w").exists()
