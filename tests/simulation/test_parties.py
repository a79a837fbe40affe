"""Who there is in a world: numbers hold, parts are in the stated shares, what is true fits together."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from importlib.resources import files

import polars as pl
import pytest
from stdnum import iban
from stdnum.at import uid
from stdnum.de import vat as german
from stdnum.es import nif
from stdnum.fr import tva
from stdnum.it import codicefiscale, iva

from saldo.simulation.draws import Draws
from saldo.simulation.world import parties, tables
from saldo.simulation.world.balance_sheets import balance_sheets
from saldo.simulation.world.identifiers import cin, personal_tax_code
from saldo.simulation.world.names import slug, words
from saldo.simulation.world.parameters import Parameters, load, parse
from saldo.simulation.world.ratings import ratings
from saldo.simulation.world.strata import counts_of

FIRST, LAST = date(2023, 7, 1), date(2026, 6, 30)
VAT_CHECKS = {"IT": iva, "DE": german, "FR": tva, "AT": uid, "ES": nif}
P = load()


@cache
def world(seed: int, name: str = "medium") -> dict[str, pl.DataFrame]:
    draws, size = Draws(seed), P.size(name)
    customers = parties.customers(P, draws, size, FIRST, LAST)
    accounts = parties.accounts(P, draws, customers, size, FIRST)
    return {
        "companies": parties.companies(P, draws),
        "banks": parties.banks(P, draws),
        "customers": customers,
        "contacts": parties.contacts(P, draws, customers, FIRST, LAST),
        "payer_banks": parties.payer_banks(P, draws, customers, FIRST, LAST),
        "accounts": accounts,
        "balance_sheets": balance_sheets(P, draws, customers, accounts, FIRST, LAST),
        "ratings": ratings(P, draws, customers, accounts, FIRST, LAST),
    }


def test_frames_have_exactly_the_columns_of_the_tables():
    for name, frame in world(1).items():
        assert frame.schema == pl.Schema(getattr(tables, name.upper())), name
        assert frame.height > 0


def test_one_seed_makes_one_world():
    again = world.__wrapped__(1)
    for name, frame in world(1).items():
        assert frame.equals(again[name]), name
        if name != "companies":
            assert not frame.equals(world(2)[name]), name


def test_numbers_of_firms_hold_and_are_in_series_that_are_not_issued():
    customers = world(1)["customers"]
    for country, vat in customers.select("country", "vat").filter(pl.col("vat") != "").iter_rows():
        assert vat.startswith(country)
        assert VAT_CHECKS[country].is_valid(vat), vat
        assert re.match(r"IT99|DE999|FR\d\d999|ATU999|ESB99", vat)
    codes = customers.filter(pl.col("country") == "IT")
    assert all(codicefiscale.is_valid(code) for code in codes["tax_code"])
    assert codes["tax_code"].n_unique() == codes.height
    sole = codes.filter(pl.col("legal_form") == "ditta individuale")
    assert sole.height > 50
    # X: no town of Italy has such a code.
    assert set(sole["tax_code"].str.len_chars()) == {16} and set(sole["tax_code"].str.slice(11, 1)) == {"X"}
    assert set(codes.filter(pl.col("special") == "condominium")["vat"]) == {""}
    assert set(customers["country"]) == set(VAT_CHECKS)


def test_a_personal_tax_code_is_made_as_the_law_says():
    # The worked example of python-stdnum's documentation, and a given name of four consonants.
    made = personal_tax_code("Riccomini", "Manuela", date(1983, 11, 18), False, "D969")
    assert made[:6] == "RCCMNL" and made[6:15] == "83S18D969" and codicefiscale.is_valid(made)
    woman = personal_tax_code("Fo", "Gianfranca", date(1990, 1, 5), True, "X001")
    assert woman.startswith("FOXGFR90A45X001")


def test_account_numbers_hold_and_belong_to_no_bank():
    assert cin("05428", "11101", "000000123456") == "X"  # the example of the Italian IBAN
    payers = world(1)["payer_banks"]
    for number, abi, cab in payers.select("iban", "abi", "cab").iter_rows():
        assert iban.is_valid(number), number
        if number.startswith("IT"):
            assert number[4] == cin(abi, cab, number[15:]) and number[5:15] == abi + cab
            assert abi > "99900"
        if number.startswith("FR"):
            assert (
                89 * int(number[4:9]) + 15 * int(number[9:14]) + 3 * int(number[14:25]) + int(number[25:])
            ) % 97 == 0
    assert payers["iban"].n_unique() == payers.height
    assert all(iban.is_valid(number) for number in world(1)["banks"]["iban"])
    assert all(iva.is_valid(number) for number in world(1)["companies"]["vat"])


def test_names_domains_and_addresses_are_invented_and_distinct():
    customers, contacts = world(1)["customers"], world(1)["contacts"]
    assert customers["name"].n_unique() == customers["domain"].n_unique() == customers.height
    written = [*customers["pec"], *contacts["email"], *customers["domain"]]
    assert all(address.endswith(".test") for address in written if address)
    assert contacts["phone"].str.contains(" 555 ").all()
    assert slug("Fördertechnik Groß & Söhne") == "fordertechnik-gross-sohne"
    assert set(contacts["customer_id"]) == set(customers["customer_id"])


@pytest.mark.parametrize("seed", [1, 2])
def test_parts_are_in_the_stated_shares(seed):
    customers, accounts = world(seed)["customers"], world(seed)["accounts"]
    contacts, options, count = world(seed)["contacts"], P.customers, customers.height

    def share(frame: pl.DataFrame, condition: pl.Expr) -> float:
        return frame.filter(condition).height / frame.height

    exact = {
        "paying_type": {kind.name: kind.share for kind in P.types},
        "reference_style": P.references.styles,
        "remittance_habit": P.remittances.habit,
        "sector": {name: sector.weight for name, sector in P.sectors.items()},
    }
    for column, shares in exact.items():
        for value, expected in shares.items():
            assert share(customers, pl.col(column) == value) == pytest.approx(expected, abs=1.01 / count)
            # Large customers have the same mix as all.
            assert share(customers.head(300), pl.col(column) == value) == pytest.approx(expected, abs=0.02)
    assert share(customers, pl.col("country") != "IT") == pytest.approx(options.foreign_share, abs=0.001)
    assert share(customers, pl.col("special") == "public_body") == pytest.approx(options.public_body_share)
    assert share(customers, pl.col("parent_id").is_not_null()) == pytest.approx(options.subsidiary_share)
    pays = share(customers.filter(pl.col("parent_id").is_not_null()), pl.col("paid_by").is_not_null())
    assert pays == pytest.approx(options.parent_pays_share, abs=0.01)
    assert share(customers, pl.col("pay_weekday") >= 0) == pytest.approx(P.seasons.weekday_habit_share)
    assert accounts.height / count - 1 == pytest.approx(options.of_both_share, abs=0.001)
    assert contacts.height / count - 1 == pytest.approx(options.second_contact_share, abs=0.001)
    assert share(contacts, pl.col("email") == "") == pytest.approx(options.missing_email_share, abs=0.005)
    changes = world(seed)["payer_banks"].height - count
    assert changes / count / 3 == pytest.approx(options.bank_change_yearly, abs=0.001)
    assert customers["sales_share"].sum() == pytest.approx(1.0)
    assert customers["sales_share"].is_sorted(descending=True)
    assert customers["slowness"].is_between(0.5, 2.0).all()


@pytest.mark.parametrize("name", ["small", "medium"])
def test_drifts_are_twice_the_insolvencies_and_three_in_ten_come_without(name):
    customers = world(1, name)["customers"]
    seen = customers.filter(pl.col("insolvency_date") <= LAST)
    rate = P.insolvency.yearly_rate
    assert seen.height == max(2, round(rate * customers.height * 1096 / 365.25))
    sudden = seen.filter(pl.col("drift_from").is_null()).height
    assert sudden == max(1, round(P.insolvency.without_drift_share * seen.height))
    drifts = customers.filter(pl.col("drift_to") <= LAST)
    assert drifts.height == max(4, 2 * seen.height)
    drifting = customers.filter(pl.col("drift_from").is_not_null())
    failed, recovered = (
        drifting.filter(pl.col("insolvency_date").is_not_null()),
        drifting.filter(pl.col("recovered_date").is_not_null()),
    )
    assert failed.height + recovered.height == drifting.height
    assert (failed["drift_to"] == failed["insolvency_date"]).all()
    assert (recovered["recovered_date"] > recovered["drift_to"]).all()
    months = (drifting["drift_to"] - drifting["drift_from"]).dt.total_days() / 30.44
    assert months.is_between(3.9, 10.1).all()
    assert drifting["drift_days"].is_between(*P.insolvency.drift_days).all()
    assert seen["insolvency_date"].is_between(FIRST, LAST).all()
    # Whoever drifts on the last day may recover or fail: neither is given away by being there.
    ahead = customers.filter((pl.col("drift_from") <= LAST) & (pl.col("drift_to") > LAST))
    assert name == "small" or {True, False} == set(ahead["recovered_date"].is_null())


def test_what_happens_is_spread_over_the_whole_span():
    dates = world(1)["customers"].filter(pl.col("insolvency_date") <= LAST)["insolvency_date"]
    by_year = [dates.is_between(date(y, 7, 1), date(y + 1, 6, 30)).sum() for y in (2023, 2024, 2025)]
    assert min(by_year) >= 0.25 * len(dates)


def test_groups_and_mergers_fit_together():
    customers = world(1)["customers"]
    parents = customers.filter(pl.col("parent_id").is_not_null())
    tops = customers.filter(pl.col("customer_id").is_in(parents["parent_id"].implode()))
    assert tops["parent_id"].is_null().all() and tops["merged_into"].is_null().all()
    assert (parents["parent_id"] < parents["customer_id"]).all()
    assert set(parents["legal_form"]) | set(tops["legal_form"]) <= {"S.p.A.", "S.r.l."}
    payers = parents.filter(pl.col("paid_by").is_not_null())
    assert (payers["paid_by"] == payers["parent_id"]).all()
    merged = customers.filter(pl.col("merged_into").is_not_null())
    assert merged.height == round(P.customers.merger_yearly * customers.height * 3)
    assert merged["merged_date"].is_between(FIRST, LAST).all()
    buyers = customers.filter(pl.col("customer_id").is_in(merged["merged_into"].implode()))
    for others in (tops, parents, merged, buyers):
        assert others["insolvency_date"].is_null().all() and others["drift_from"].is_null().all()
    assert buyers["merged_into"].is_null().all()


def test_accounts_have_terms_and_methods_that_suit_their_customer():
    accounts, customers = world(1)["accounts"], world(1)["customers"]
    methods = {terms.text: terms.methods for terms in P.terms}
    for text, method in accounts.select("terms_text", "method").iter_rows():
        assert method in methods[text]
    joined = accounts.join(customers, on="customer_id")
    plain = joined.filter((pl.col("special") != "") | (pl.col("country") != "IT"))
    assert set(plain["method"]) == {"transfer"} and plain.height > 100
    assert set(accounts["method"]) == {"transfer", "riba", "sdd"}
    sdd = accounts["method"] == "sdd"
    assert ((accounts["mandate_id"] != "") == sdd).all() and (
        accounts["mandate_date"].is_not_null() == sdd
    ).all()
    assert ((accounts["scheme"] != "") == sdd).all()
    for company, pattern in ((0, r"^1\d{5}$"), (1, r"^001\d{7}$")):
        codes = accounts.filter(pl.col("company_id") == company)["code"]
        assert codes.str.contains(pattern).all() and codes.n_unique() == len(codes)
    assert (accounts["limit_cents"] >= 100_000).all()


def test_sdi_addresses_are_of_the_kind_of_the_customer():
    customers = world(1)["customers"]
    abroad = pl.col("country") != "IT"
    assert set(customers.filter(abroad)["sdi_code"]) == {"XXXXXXX"}
    assert set(customers.filter(abroad)["language"]) == {"en"}
    public = customers.filter(pl.col("special") == "public_body")["sdi_code"]
    assert public.str.contains(r"^Z[0-9A-Z]{5}$").all() and public.n_unique() == len(public)
    others = customers.filter(~abroad & (pl.col("special") == ""))["sdi_code"]
    assert set(others.str.len_chars()) == {7} and 0.2 < (others == "0000000").mean() < 0.3


def test_balance_sheets_are_consistent_and_not_kind():
    sheets, customers = world(1)["balance_sheets"], world(1)["customers"]
    assert (sheets["total_assets"] == sheets["equity"] + sheets["total_liabilities"]).all()
    assert (sheets["current_assets"] <= sheets["total_assets"]).all()
    parts = sheets["cash"] + sheets["inventory"] + sheets["receivables"]
    assert (parts <= sheets["current_assets"]).all() and (sheets["receivables"] > 0).all()
    assert (sheets["current_liabilities"] <= sheets["total_liabilities"]).all()
    assert (sheets["retained_earnings"] < sheets["equity"]).all()
    assert (sheets["interest_expense"] >= 0).all() and (sheets["employees"] >= 1).all()
    assert (sheets["net_profit"] <= sheets["ebit"]).all()
    # Nobody puts money in: equity grows by the result at most.
    grown = sheets.with_columns(
        grown=pl.col("equity").diff().over("customer_id"), gap=pl.col("year").diff().over("customer_id")
    ).filter(pl.col("gap") == 1)
    assert (grown["grown"] <= grown["net_profit"] + 1).all()
    assert (sheets["filed_date"].dt.year() == sheets["year"] + 1).all()
    assert sheets["filed_date"].dt.month().is_in([5, 6]).all() and sheets["filed_date"].max() <= LAST
    assert sheets["year"].min() == 2020 and sheets["year"].max() == 2025

    joined = sheets.join(customers, on="customer_id").with_columns(
        equity_ratio=pl.col("equity") / pl.col("total_assets"),
        soon=(pl.col("insolvency_date") - pl.col("filed_date")).dt.total_days() < 365,
    )
    assert not joined.filter(pl.col("insolvency_date") <= pl.col("filed_date")).height
    failing = joined.filter("soon")["equity_ratio"]
    sound = joined.filter(pl.col("insolvency_date").is_null() & (pl.col("paying_type") == "prompt"))[
        "equity_ratio"
    ]
    assert failing.median() < sound.median() - 0.05
    assert failing.quantile(0.8) > sound.quantile(0.2), "no ratio may give insolvencies away"


def test_ratings_follow_the_truth_with_noise():
    rated, customers = world(1)["ratings"], world(1)["customers"]
    plain = customers.filter(pl.col("special") == "").height
    assert rated["customer_id"].n_unique() <= round(P.ratings.known_share * plain)
    assert rated["rated_date"].max() <= LAST and rated["rated_date"].min() < FIRST
    assert set(rated["provider"]) == set(P.ratings.providers)
    assert set(rated["rating"]) == set("ABCDE")
    ordered = rated.group_by("rating").agg(pl.col("score").min(), pl.col("pd").mean()).sort("rating")
    assert ordered["score"].is_sorted(descending=True) and ordered["pd"].is_sorted()
    joined = rated.join(customers, on="customer_id").with_columns(
        soon=((pl.col("insolvency_date") - pl.col("rated_date")).dt.total_days() < 365).fill_null(False)
    )
    assert not joined.filter(pl.col("insolvency_date") <= pl.col("rated_date")).height
    failing, others = joined.filter("soon")["score"], joined.filter(~pl.col("soon"))["score"]
    assert failing.mean() < others.mean() - 8
    assert failing.quantile(0.8) > others.quantile(0.2)


def test_words_name_no_one_twice_and_every_sector_has_some():
    assert set(words()["prefixes"]) == set(P.sectors)
    assert {row[4] for row in words()["places"]["IT"]} <= {f"{number:03d}" for number in range(1, 101)}
    assert set(words()["people"]["women"]) <= set(words()["people"]["given"])
    heads = words()["stems"]["heads"]
    assert len(set(heads)) == len(heads)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("rank_offset = 12.0", "rank_ofset = 12.0", "unknown keys rank_ofset"),
        ("rank_offset = 12.0", "", "missing keys rank_offset"),
        ("rank_offset = 12.0", 'rank_offset = "12"', "rank_offset"),
        ("missing_pod = 0.28", "missing_pod = 0.29", "disputes.reasons: the shares come to 1.01"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(was, becomes, said):
    text = parameters_text()
    assert was in text
    with pytest.raises(ValueError, match=said):
        parse(text.replace(was, becomes))


def test_parameters_are_read():
    assert isinstance(parse(parameters_text()), Parameters)
    assert P.size("small").customers == 60
    with pytest.raises(ValueError, match="small, medium, large"):
        P.size("huge")


def test_counts_add_up():
    assert counts_of([0.5, 0.3, 0.2], 7) == [4, 2, 1]
    assert sum(counts_of([1, 1, 1], 100)) == 100


def parameters_text() -> str:
    return files("saldo.simulation.world").joinpath("parameters.toml").read_text(encoding="utf-8")
