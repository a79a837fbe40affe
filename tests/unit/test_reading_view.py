"""saldo read on a bank file: what the terminal shows, and the exit code that asks for a person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from saldo.interfaces.commands.reading import _show, read
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


def told(records: list[dict[str, object]] = (), **more: object) -> dict[str, object]:  # type: ignore[assignment]
    empty = {"format": "eml", "invoices": [], "statements": [], "rejections": [], "records": list(records)}
    return empty | more


def test_a_record_shows_what_is_listed_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Why SdI refused a file, or what the bank did with a receipt, is in such lists."""
    errors = [{"code": "00311", "description": "CodiceDestinatario non valido"}]
    parts = [{"ordinal": number} for number in range(1, 13)]
    notice = {"where": "x", "why": "It was cut.", "remedy": "Fetch it again."}
    record = {
        "kind": "sdi_notification", "is_rejection": True, "name": None,
        "to": ["a@example.com", "b@example.com"],
        "errors": errors, "parts": parts, "lines": {"equity": "10.00"}, "notices": [notice],
    }  # fmt: skip
    _show(told([record]))
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[1] == "  sdi_notification  is_rejection: yes; to: a@example.com, b@example.com"
    assert lines[2] == "    errors: code: 00311; description: CodiceDestinatario non valido"
    assert lines[12:15] == [
        "    parts: ordinal: 10",
        "    … and 2 more (--json shows all)",
        "    lines: equity: 10.00",
    ]
    assert "It was cut. Fetch it again." in shown.err


def test_a_refusal_of_the_whole_file_has_no_empty_place(capsys: pytest.CaptureFixture[str]) -> None:
    _show(told(rejections=[{"where": "", "excerpt": "", "why": "Empty.", "remedy": "Export it again."}]))
    assert capsys.readouterr().err.splitlines()[1:] == ["  Empty. Export it again."]


@pytest.mark.parametrize(
    "header", ["Cod. cliente;Ragione sociale;Partita IVA", "Cod. cliente;Importo;Scadenza"]
)
def test_a_table_read_by_a_guess_says_so(tmp_path: Path, header: str) -> None:
    file = tmp_path / "table.csv"
    file.write_text(f"{header}\nC1;Rossi Esempio S.r.l.;1\nC2;Prova S.p.A.;2\n")
    result = CliRunner().invoke(read, [str(file)])
    assert "No --mapping" in result.stderr
    assert json.loads(CliRunner().invoke(read, [str(file), "--json"]).stdout)["mapping"] == "suggested"
