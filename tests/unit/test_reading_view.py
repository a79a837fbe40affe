"""saldo read on a bank file: what the terminal shows, and the exit code that asks for a person."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from saldo.interfaces.commands.reading import read
from tests.bank_samples import IBAN, mt940


@pytest.mark.parametrize(
    ("closing", "proof", "code"),
    [
        ("C260202EUR105,50", "adds up", 0),
        ("C260202EUR105,00", "does not add up: difference -0.50; quarantined", 1),
        (None, "cannot be proven by its balances; quarantined", 1),
    ],
)
def test_a_statement_on_the_terminal(tmp_path: Path, closing: str | None, proof: str, code: int) -> None:
    file = tmp_path / "movements.sta"
    lines = [":61:2602020202C5,50NTRFR1", ":86:fattura 12\x1b[31m"]
    file.write_bytes(mt940(*lines, closing=closing).encode())
    result = CliRunner().invoke(read, [str(file)])
    assert result.exit_code == code
    shown = result.stdout.splitlines()
    assert IBAN in shown[1]
    assert "100.00" in shown[2]
    assert "5.50" in shown[3] and "fattura 12" in shown[3] and "\x1b" not in shown[3]
    assert shown[-1].strip() == proof


def test_only_the_first_lines_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "movements.sta"
    file.write_bytes(mt940(*[":61:2602020202C0,00NTRF"] * 60).encode())
    shown = CliRunner().invoke(read, [str(file)]).stdout
    assert shown.count("NTRF") == 50
    assert "… and 10 more" in shown
