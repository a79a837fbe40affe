"""Every scenario beside this file holds, and the interpreter says precisely what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from saldo.simulation.scenario import run_scenario

pytestmark = pytest.mark.django_db
FILES = sorted(Path(__file__).parent.glob("*.txt"))


def test_there_are_scenarios() -> None:
    assert len(FILES) >= 25


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_scenario(path: Path) -> None:
    report = run_scenario(path.read_text(encoding="utf-8"), path.name)
    assert not report.failures, "\n" + "\n".join(report.lines())
    assert report.checks > 0
