"""The pages about forecasts, scores, warnings and models: what they show, and who may act."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from saldo.risk.models import RiskScore
from tests.forecast_pages_world import add_version, build_forecasts, put_in_use
from tests.web_world import AS_OF, World, user

MAX_QUERIES, MAX_QUERIES_OF_ACCOUNT = 20, 50


@pytest.fixture
def world(db: None) -> World:
    return build_forecasts()


def login(world: World, role: str = "credit_manager", company: str = "AURO") -> Client:
    own = (world.account(company, 0)[0],) if role == "sales" else ()
    client = Client()
    client.force_login(user(f"forecast-{role}", role, world.companies[company], own))
    return client


def text(response: Any) -> str:
    assert response.status_code == 200, response.content.decode()[:400]
    return response.content.decode().replace("\xa0", " ").replace("&#x27;", "'")


def first_item(account_id: int) -> int:
    from saldo.ledger.models import Item

    return int(Item.objects.filter(account_id=account_id).order_by("id").first().id)


def test_an_open_item_shows_its_curve_and_why(world: World) -> None:
    client = login(world)
    account_id, name = world.account("AURO", 0)
    address = reverse("item_forecast", args=[account_id, first_item(account_id)])
    assert address in text(client.get(reverse("account", args=[account_id])))
    page = text(client.get(address))
    assert name in page and "<nav" in page
    row = text(client.get(address, headers={"HX-Request": "true"}))
    assert row.strip().startswith("<tr") and "<nav" not in row
    for shown in (page, row):
        assert re.search(r'<path class="line" d="M0,100 L[\d., L]+"', shown)
        # In words for who does not see the curve, and in figures for who does.
        assert "entro 30 giorni 61%" in shown
        assert "12/04/2025" in shown and "28/03/2025" in shown and "09/05/2025" in shown
        assert "Di solito paga 22 giorni dopo la scadenza" in shown
        assert "+14 gg" in shown and "+6 gg" in shown and "−3 gg" in shown
        # A reason that this version has no words for is shown by its code.
        assert "A code of another version" in shown


def test_a_curve_rises_from_today_to_the_end_of_its_chart() -> None:
    from datetime import timedelta

    from saldo.interfaces.web.forecast_charts import curve_chart

    points = [(0, 0.0), (10, 0.5), (40, 0.9), (365, 0.99)]
    due, expected, low, high = (AS_OF + timedelta(days=days) for days in (-20, 10, 2, 40))
    chart = curve_chart(points, AS_OF, due, expected, low, high, height=100, top=0)
    numbers = [float(n) for n in re.findall(r"[\d.]+", chart.line)]
    days, heights = numbers[0::2], numbers[1::2]
    assert days == sorted(days) and days[-1] == 1000.0
    assert heights == sorted(heights, reverse=True) and heights[0] == 100
    # From the due date, 20 days ago, to 56 days ahead: today stands at 20/76 of the width.
    assert chart.today_x == f"{100 * 20 / 76:.2f}%"
    assert chart.dot_x == f"{100 * 30 / 76:.2f}%" and chart.dot_y == "50.0"
    assert [mark.kind for mark in chart.marks] == ["due", "expected"]
    # A due date long ago does not push the curve into a corner.
    old = curve_chart(points, AS_OF, AS_OF - timedelta(days=900), None, low, None, height=100, top=0)
    assert old.today_x == "0.00%" and not old.marks and old.dot_x == ""


def test_the_account_shows_its_risk_and_its_warnings(world: World) -> None:
    client = login(world, "collector")
    body = text(client.get(reverse("account", args=[world.account("AURO", 0)[0]])))
    assert "Rischio alto" in body and "38<small>/100" in body
    assert "Su 100 clienti come questo, circa 6" in body and "PD 6,2%" in body
    assert "bilancio, rating esterno" in body and "−9" in body and "+4" in body
    assert "Dal 12/02/2025 paga circa 14 giorni più tardi del solito" in body
    # Of a customer of whom nothing is known, and of one without a score, the page says so.
    RiskScore.objects.update(parts={"base": {"weight": 1.0}})
    body = text(client.get(reverse("account", args=[world.account("AURO", 0)[0]])))
    assert "Di questo cliente non si sa ancora nulla" in body
    assert "storico insufficiente" in text(client.get(reverse("account", args=[world.account("AURO", 2)[0]])))


def test_the_worklist_says_why_the_item_is_expected_then(world: World) -> None:
    client = login(world, "collector")
    name = world.account("AURO", 0)[1]
    body = text(client.get(reverse("worklist")))
    at = body.index(name)
    assert "paga più tardi" in body[at : at + 600]
    action = re.search(
        r'data-href="(/worklist/\d+/)"[^>]*>\s*<td class="who"><a[^>]*>' + re.escape(name), body
    )
    assert action is not None
    pane = text(client.get(action[1], headers={"HX-Request": "true"}))
    assert (
        "22 giorni dopo la scadenza (+14 gg)" in pane
        and "Dal 12/02/2025" in pane
        and "classe D, score 38" in pane
    )


def test_the_pages_ask_the_database_a_few_times(
    world: World, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    client = login(world, "collector")
    account_id, _ = world.account("AURO", 0)
    body = text(client.get(reverse("worklist")))
    pane = re.search(r'data-href="(/worklist/\d+/)"', body)
    assert pane is not None
    item = reverse("item_forecast", args=[account_id, first_item(account_id)])
    for address in (reverse("worklist"), reverse("warnings")):
        with django_assert_max_num_queries(MAX_QUERIES):
            text(client.get(address))
    with django_assert_max_num_queries(MAX_QUERIES_OF_ACCOUNT):
        text(client.get(reverse("account", args=[account_id])))
    with django_assert_max_num_queries(MAX_QUERIES):
        text(client.get(pane[1], headers={"HX-Request": "true"}))
    with django_assert_max_num_queries(2 * MAX_QUERIES):
        text(client.get(item, headers={"HX-Request": "true"}))


def test_warnings_come_by_exposure_and_size_and_within_the_scope(world: World) -> None:
    first, second = (world.account("AURO", place)[1] for place in (0, 1))
    body = text(login(world, "credit_manager").get(reverse("warnings")))
    # 54.024 x 2,4 against 27.021 x 9: the smaller customer changed more.
    assert body.index(second) < body.index(first)
    assert "54.024,00" in body and "<b>2</b>" in body
    mine = text(login(world, "sales").get(reverse("warnings")))
    assert first in mine and second not in mine
    theirs = text(login(world, "cfo", "BORE").get(reverse("warnings")))
    assert first not in theirs and "Nessun cliente è cambiato" in theirs


def test_an_item_of_another_account_or_company_is_not_there(world: World) -> None:
    client = login(world)
    own, other = world.account("AURO", 0)[0], world.account("AURO", 1)[0]
    foreign = world.account("BORE", 0)[0]
    assert client.get(reverse("item_forecast", args=[own, first_item(other)])).status_code == 404
    assert client.get(reverse("item_forecast", args=[foreign, first_item(foreign)])).status_code == 404
    # On a day that was not run nothing is expected.
    day = {"as_of": "2025-01-10"}
    assert client.get(reverse("item_forecast", args=[own, first_item(own)]), day).status_code == 404
    assert "Rischio di insolvenza" not in text(client.get(reverse("account", args=[own]), day))


@pytest.fixture
def models(world: World) -> dict[str, int]:
    """An older version that was in use, the one in use now, and one that never was."""
    company = world.companies["AURO"]
    made = {
        "old": add_version(company, "20250201-aaaa", "empirical_bayes", days_ago=40),
        "now": add_version(company, "20250310-bbbb", "hazard", days_ago=9),
        "new": add_version(company, "20250318-cccc", "hazard"),
        "theirs": add_version(world.companies["BORE"], "20250101-dddd", "hazard"),
    }
    put_in_use(company, made["old"], "storico ancora corto", days_ago=39)
    put_in_use(company, made["now"], "errore più basso della mediana del cliente", days_ago=8)
    return made


def test_the_model_page_says_what_is_in_use_and_how_good_it_is(world: World, models: dict[str, int]) -> None:
    body = text(login(world, "cfo").get(reverse("models")))
    assert "Errore più basso della mediana del cliente" in body and "20250310-bbbb" in body
    assert "1.180 previsioni" in body and "01/06/2024" in body
    # The best of a column stands in bold, with its standard error.
    assert "<b>5,71</b> <small>±0,14</small>" in body and "11,03 <small>±0,14</small>" in body
    # 79.4% is nearer to 80% than 80.7% is.
    assert "<b>79,4%</b>" in body and "<b>80,7%</b>" not in body
    # Four plots of ten dots; the first is 3 points off everywhere but where it would pass 100%.
    assert body.count("<circle") == 40 and "scarto medio 3,0 punti" in body
    assert "settled code" in body and "AUC 1,00" in body and "esclusa" in body
    # The gain over another rule, with the larger of its two errors.
    assert "+0,68 <small>±0,20</small>" in body
    assert "Ancora nulla da giudicare" in body
    # A CFO reads, and is offered no way to change anything.
    assert "Metti in uso</a>" not in body and "Riaddestra ora" not in body
    assert "20250101-dddd" not in body
    risk = text(login(world, "administrator").get(reverse("models"), {"engine": "default_risk"}))
    assert "Nessun modello di rischio" in risk and "<circle" not in risk


@pytest.mark.parametrize(
    "metrics", [{}, {"rungs": "x"}, {"rungs": [{"name": "hazard", "mae_days": "?"}], "drift": 3}]
)
def test_metrics_of_another_version_of_the_code_do_not_break_the_page(world: World, metrics: Any) -> None:
    from saldo.identity.models import ModelVersion

    company = world.companies["AURO"]
    version = add_version(company, "v1", "hazard")
    kept = ModelVersion.objects.get(id=version)
    other = ModelVersion(**{f.name: getattr(kept, f.name) for f in kept._meta.fields if f.name != "id"})
    other.version, other.metrics = "v2", metrics
    other.save()
    put_in_use(company, other.id, "")
    assert "v2" in text(login(world).get(reverse("models")))


def test_who_may_promote_and_only_with_a_reason(world: World, models: dict[str, int]) -> None:
    address = reverse("model_promote", args=[models["new"]])
    for role in ("collector", "cash_specialist", "sales", "customer_care", "cfo"):
        client = login(world, role)
        assert client.get(address).status_code == 403, role
        assert client.post(address, {"reason": "x"}).status_code == 403, role
        assert client.post(reverse("train_models")).status_code == 403, role
        assert client.get(reverse("models")).status_code == (200 if role == "cfo" else 403), role
    client = login(world, "credit_manager")
    assert "Mettere in uso questa versione?" in text(client.get(address))
    assert client.post(address, {"reason": "  "}).status_code == 400
    assert in_use(world) == models["now"]
    assert client.post(address, {"reason": "nuovi termini"}).status_code == 302
    assert in_use(world) == models["new"]
    body = text(client.get(reverse("models")))
    assert "Nuovi termini" in body and "forecast-credit_manager" in body
    # Going back asks in its own words; another company's version is not there.
    back = reverse("model_promote", args=[models["old"]])
    assert "Tornare a una versione precedente?" in text(client.get(back))
    client.post(back, {"reason": "troppo ottimista"})
    assert in_use(world) == models["old"]
    theirs = reverse("model_promote", args=[models["theirs"]])
    assert client.get(theirs).status_code == 404 and client.post(theirs, {"reason": "x"}).status_code == 404


def in_use(world: World) -> int | None:
    from saldo.identity.model_versions import model_in_use

    found = model_in_use(world.companies["AURO"], "payment_date")
    return found.id if found else None


def test_training_is_asked_for_once(world: World) -> None:
    from procrastinate.contrib.django.models import ProcrastinateJob

    client = login(world, "administrator")
    for words in ("Richiesto", "già in attesa"):
        assert words in text(client.post(reverse("train_models"), follow=True))
    assert ProcrastinateJob.objects.filter(task_name__contains="train").count() == 1


def test_what_the_backtest_said_is_told_in_the_language_of_the_reader(world: World) -> None:
    from saldo.interfaces.web.model_page import why_text

    why = {"code": "rung_best", "params": {"rung": "hazard", "items": 1180, "loss": 4.01}}
    english = why_text(
        "on 1180 past invoices it errs least: the learnt model (mean error 4.01 days)", {"why": why}, "it"
    )
    assert (
        english
        == "Su 1180 fatture passate sbaglia meno di tutti: il modello appreso (errore medio 4,01 giorni)"
    )
    # What a person wrote stays as it was written.
    assert why_text("per prova", {"why": why}, "en") == "Per prova"
    assert why_text("per prova", {"why": {"code": "x"}}, "it") == "Per prova"


def test_without_a_model_the_page_teaches_what_training_needs(world: World) -> None:
    body = text(login(world).get(reverse("models")))
    assert "Nessun modello è stato ancora addestrato" in body
    # Nothing was ever paid in this world.
    assert "Finora ce ne sono 0" in body and "Riaddestra ora" in body
