"""Backtests of any file, training, models and forecasts, as other programs use them."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from saldo.analytics import boosters
from saldo.interfaces.commands.main import main

PAYMENT_KEYS = {
    "name", "mae_days", "within_7_days", "c_index", "auc_late", "brier_late", "ece_late", "coverage_80",
    "crps_days", "wape_4w", "error_4w_total",
}  # fmt: skip
RISK_KEYS = {"name", "auc", "ks", "brier", "ece"}
LAST = date(2025, 12, 31)
HEADER = "Cliente;Numero;Data fattura;Scadenza;Importo;Incassata il;Contestata"


def saldo(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), env={"SALDO_LANG": "en"})


def told(result: Result) -> dict[str, Any]:
    return dict(json.loads(result.stdout))


def _day(value: date | None) -> str:
    return f"{value:%d/%m/%Y}" if value else ""


def _amount(value: float) -> str:
    return f"{value:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")


def invoices(count: int, customers: int, on_time: bool = False, orders: float = 2.0) -> list[str]:
    """Rows of an invented history: each customer has its own delay; what is paid after LAST is open."""
    random, rows = Random(count), []
    for number in range(count):
        customer = number % customers
        issued = date(2025, 1, 7) + timedelta(days=random.randrange(330))
        due = issued + timedelta(days=30)
        late = 0 if on_time else round(random.gauss(4 + 9 * (customer % 3), 4))
        paid = due + timedelta(days=late)
        amount = 10 ** random.uniform(2, 2 + orders)
        is_late = "sì" if late > 6 else "no"
        cells = (
            f"C{customer:02}", f"{number}/25", _day(issued), _day(due), _amount(amount),
            _day(paid if paid <= LAST else None), is_late,
        )  # fmt: skip
        rows.append(";".join(cells))
    return rows


def written(folder: Path, rows: list[str], name: str = "fatture.csv") -> str:
    path = folder / name
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return str(path)


def judged(*words: str) -> Result:
    """The backtest, of the last weeks only, so that models are fitted once."""
    return saldo("backtest", "payment-date", "--from", "2025-11-01", "--json", *words)


def test_any_list_of_paid_invoices_is_judged_and_bad_rows_are_told(tmp_path: Path) -> None:
    rows = invoices(90, 9)
    rows[10] = "C01;X/25;31/02/2025;10/03/2025;10,00;11/03/2025;no"
    rows[20] = "C02;Y/25;01/02/2025;03/03/2206;10,00;11/03/2025;no"
    rows[30] = "C03;Z/25;01/02/2025;03/03/2025;dieci;11/03/2025;no"
    rows[40] = "C04;W/25;01/02/2025;;250,00;11/03/2025;no"
    result = judged("--data", written(tmp_path, rows))
    found = told(result)
    assert result.exit_code == 1
    assert [one["code"] for one in found["rejections"]] == [
        "date_impossible", "date_impossible", "amount_unreadable",
    ]  # fmt: skip
    counts = found["rows"]
    assert counts["items"] == 87 and counts["refused"] == 3 and counts["due_by_law"] == 1
    assert counts["open"] == sum(";;" in row for row in rows) - 1 > 0
    assert found["mapping"] == "suggested" and found["notes"]
    assert found["promoted"] in [rung["name"] for rung in found["rungs"]]
    for rung in found["rungs"]:
        assert rung.keys() >= PAYMENT_KEYS
        assert all(value is None or math.isfinite(value) for key, value in rung.items() if key != "name")
    by_name = {rung["name"]: rung for rung in found["rungs"]}
    assert by_name["customer_median"]["mae_days"] < by_name["due_date"]["mae_days"]


@pytest.mark.parametrize(
    "rows",
    [
        invoices(5, 2),
        invoices(40, 1),
        invoices(40, 4, on_time=True),
        invoices(60, 6, orders=12.0),
    ],
    ids=["five invoices", "one customer", "all on time", "amounts over twelve orders of magnitude"],
)
def test_small_and_odd_books_keep_a_simple_model(tmp_path: Path, rows: list[str]) -> None:
    result = judged("--data", written(tmp_path, rows))
    found = told(result)
    assert result.exit_code == 0 and not found["rejections"]
    assert found["promoted"] in ("due_date", "customer_median", "pooled_km", "empirical_bayes")


def test_the_table_names_the_promoted_model_and_its_reason(tmp_path: Path) -> None:
    path = written(tmp_path, invoices(30, 3, on_time=True))
    result = saldo("backtest", "payment-date", "--data", path, "--from", "2025-11-01")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("fatture.csv: 30 invoices of 3 accounts")
    marked = [line.split()[1] for line in lines if line.startswith("* ")]
    assert "MAE days" in lines[2] and marked[0] == marked[1] != "hazard"
    assert lines[-1].startswith("* ") and len(lines[-1]) > 20


def test_a_column_that_knows_the_outcome_is_named_and_not_used(tmp_path: Path) -> None:
    profile = tmp_path / "p.toml"
    profile.write_text(
        '[format]\ndecimal = ","\nthousands = "."\n[columns]\ncustomer_code = "Cliente"\nnumber = "Numero"\n'
        'document_date = "Data fattura"\ndue_date = "Scadenza"\namount = "Importo"\n'
        'settled_date = "Incassata il"\n[extra]\ncolumns = ["Contestata", "Agente"]\n'
    )
    found = told(judged("--data", written(tmp_path, invoices(140, 7)), "--mapping", str(profile)))
    assert found["mapping"] == "p"
    assert [leak["feature"] for leak in found["leaks"]] == ["Contestata"]
    assert any("Agente" in note for note in found["notes"])
    profile.write_text(profile.read_text().replace('settled_date = "Incassata il"\n', ""))
    result = judged("--data", written(tmp_path, invoices(9, 3)), "--mapping", str(profile))
    assert told(result)["error"]["code"] == "backtest_without_payments"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"{HEADER.split(';Inc')[0]}\nC1;1;01/02/2025;03/03/2025;5,00\n", "mapping_not_proposed"),
        (f"{HEADER}\nC1;1;01/02/2025;03/03/2025;5,00;;no\n", "backtest_nothing_paid"),
        ("no table", "mapping_not_proposed"),
        ("", "empty_file"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_an_error_that_says_what_to_do(tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    result = saldo("backtest", "payment-date", "--data", str(path), "--json")
    assert (result.exit_code, told(result)["error"]["code"]) == (2, code), result.output
    assert told(result)["error"]["remedy"]


def companies(count: int) -> pl.DataFrame:
    random = Random(3)
    rows = []
    for number in range(count):
        debt, margin = random.gauss(0.6, 0.2), random.gauss(0.05, 0.1)
        failed = random.random() < 1 / (1 + math.exp(-8 * (debt - 0.85) + 10 * margin))
        rows.append(
            {"id": f"AZ{number:04}", "debt": debt, "margin": margin, "sector": random.choice("abc"),
             "spy": failed + random.gauss(0, 0.01), "Failed": "yes" if failed else "no"}
        )  # fmt: skip
    return pl.DataFrame(rows)


def test_default_risk_of_any_table(tmp_path: Path) -> None:
    path = tmp_path / "firms.parquet"
    companies(90).write_parquet(path)
    result = saldo("backtest", "default-risk", "--data", str(path), "--target", "failed", "--json")
    assert result.exit_code == 0, result.output
    found = told(result)
    names = [rung["name"] for rung in found["rungs"]]
    assert {found["explained"], found["challenger"]} <= set(names)
    assert all(rung.keys() >= RISK_KEYS for rung in found["rungs"])
    assert found["target"] == "Failed" and found["event"] == "yes"
    assert "spy" in found["left_out"] and [leak["feature"] for leak in found["leaks"]] == ["spy"]
    assert max(rung["auc"] for rung in found["rungs"]) < 0.99


def test_a_machine_without_openmp_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(name: str) -> None:
        raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(boosters, "import_module", fails)
    boosters.library.cache_clear()
    path = tmp_path / "firms.csv"
    companies(60).write_csv(path)
    result = saldo("backtest", "default-risk", "--data", str(path), "--target", "Failed", "--json")
    boosters.library.cache_clear()
    error = told(result)["error"]
    assert result.exit_code == 2 and error["code"] == "lightgbm_not_loaded"
    assert "libgomp.so.1" in error["why"] and "apt-get install libgomp1" in error["remedy"]


def test_an_unknown_target_is_an_error_with_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "firms.csv"
    companies(20).write_csv(path)
    result = saldo("backtest", "default-risk", "--data", str(path), "--target", "bankrupt", "--json")
    error = told(result)["error"]
    assert result.exit_code == 2 and error["code"] == "data_column_unknown"
    assert "debt, margin" in error["remedy"]


MAPPING = """
source = "gestionale"
[format]
decimal = ","
thousands = "."
[columns]
customer_code = "Cliente"
number = "Numero"
document_date = "Data fattura"
due_date = "Scadenza"
amount = "Importo"
settled_date = "Incassata il"
[amount]
closed_when = "settled_date"
[values]
currency = "EUR"
"""


@pytest.fixture
def book(tmp_path: Path, db: None) -> None:
    profile = tmp_path / "gestionale.toml"
    profile.write_text(MAPPING)
    path = written(tmp_path, invoices(60, 6))
    result = saldo("import", path, "--mapping", str(profile), "--as-at", str(LAST))
    assert result.exit_code == 0, result.output


def _mills(text: str) -> int:
    return round(float(text) * 1000)


def test_the_forecast_of_a_day_by_week(book: None) -> None:
    found = told(saldo("forecast", "--as-of", str(LAST), "--json"))
    weeks = found["weeks"]
    assert [row["week"] for row in weeks] == list(range(1, len(weeks) + 1)) and len(weeks) >= 8
    assert weeks[0]["week_start"] == "2026-01-01" and weeks[0]["week_end"] == "2026-01-07"
    for row in weeks:
        assert _mills(row["p10"]) <= _mills(row["p50"]) <= _mills(row["p90"])
    assert {row["kind"] for row in found["parts"]} >= {"open", "naive"}
    (items,) = found["items"]
    open_now = told(saldo("aging", "--as-of", str(LAST), "--json"))["open"]
    assert items["open"] == open_now
    assert (
        0
        < _mills(items["paid_7"])
        <= _mills(items["paid_30"])
        <= _mills(items["paid_90"])
        <= _mills(open_now)
    )
    again = told(saldo("forecast", "--as-of", str(LAST), "--json"))
    assert again == found
    assert "P90" in saldo("forecast", "--as-of", str(LAST)).stdout


def test_a_forecast_as_it_was_known_then_keeps_nothing(book: None) -> None:
    before = told(saldo("forecast", "--as-of", str(LAST), "--known-at", "2020-01-01", "--json"))
    assert before["items"] == [] and before["known_at"].startswith("2020-01-01")
    now = told(saldo("forecast", "--as-of", str(LAST), "--known-at", "2099-01-01", "--json"))
    assert now["items"] and now["weeks"]


def _payment_models() -> list[dict[str, Any]]:
    rows = told(saldo("models", "list", "--json"))["models"]
    return [row for row in rows if row["engine"] == "payment_date"]


def test_models_are_kept_put_in_use_and_taken_back(book: None) -> None:
    for day in ("2025-11-30", str(LAST)):
        learnt = told(saldo("train", "--as-of", day, "--json"))["models"]
        one = next(one for one in learnt if one["engine"] == "payment_date")
        # Sixty invoices are too few to put a learnt model in use by itself.
        assert not one["promoted"] and one["reason"] and one["metrics"]["rungs"]
    newer, older = (row["version"] for row in _payment_models())
    for version in (older, newer):
        assert saldo("models", "promote", version, "--reason", "looked at").exit_code == 0
    assert [row["in_use"] for row in _payment_models()] == [True, False]
    back = saldo("models", "rollback", "--reason", "too hopeful")
    assert back.exit_code == 0 and older in back.output
    rows = _payment_models()
    assert [row["in_use"] for row in rows] == [False, True] and rows[1]["reason"] == "too hopeful"
    assert saldo("models", "promote", "nothing", "--reason", "x").exit_code == 2
    items = told(saldo("forecast", "--as-of", str(LAST), "--json"))["items"]
    assert sum(row["items"] for row in items) > 0


def test_models_without_any_says_so(db: None) -> None:
    saldo("company", "add", "ALFA", "--name", "Alfa S.r.l.")
    result = saldo("models", "rollback", "--reason", "x")
    assert result.exit_code == 2 and "no earlier" in result.output
    assert told(saldo("models", "list", "--json")) == {"models": []}
