"""Whatever the portfolio: the plan of the whole is that of each account by itself, and nobody is asked for
what is paid, promised, disputed, held, planned or in flight."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.analytics.askable import (
    ACCOUNTS,
    BLOCKS,
    COVERS,
    ITEMS,
    LEFT_OUT,
    SENT,
    WAYS,
    askable,
    left_out,
    with_asked,
)
from saldo.analytics.playbook_pauses import NOTICED, REPLIES, TERMS, Pauses
from saldo.analytics.playbook_plan import plan
from saldo.core.playbook import OVERDUE, Playbook, Segment, Step, When
from saldo.core.sending import SendingRules
from tests.plan_reference import asked_of, reference_plan

DAY = date(2026, 3, 11)
CODES = ("promised", "disputed", "held", "planned", "in_flight", "cash_first")
amounts = st.sampled_from([0, 1, 50_000, 100_000, 250_000, 1_000_000])
days_around = st.integers(-12, 60).map(lambda days: DAY - timedelta(days=days))
whens = st.builds(
    When,
    classes=st.sampled_from([(), (), ("A",), ("D", "E")]),
    min_open_mills=st.sampled_from([None, None, None, 300_000]),
    max_known_days=st.sampled_from([None, None, 100]),
    promise=st.sampled_from(["", "", "", "any", "none", "broken"]),
    dispute=st.sampled_from(["", "", "any", "none"]),
    delay_reasons=st.sampled_from([(), (), (), ("cash",), ("forgotten", "bank")]),
)


@st.composite
def steps(draw: st.DrawFn) -> tuple[Step, ...]:
    found: list[Step] = []
    for number, day in enumerate(sorted(draw(st.sets(st.integers(-10, 0), max_size=2)))):
        found.append(
            Step(f"soon{number}", "soon", 0, day, draw(st.sampled_from(["email", "call"])), "t", "courtesy",
                 until_day=draw(st.sampled_from([None, -1])), when=draw(whens))
        )  # fmt: skip
    day, codes = 0, {0: ""}
    for level in range(1, draw(st.integers(1, 3)) + 1):
        day += draw(st.integers(1, 12))
        for alternative in range(draw(st.integers(1, 2))):
            code = f"late{level}.{alternative}"
            found.append(
                Step(
                    code, "overdue", level, day, draw(st.sampled_from(["email", "sms", "pec"])), "t", "soft",
                    wait_days=draw(st.sampled_from([0, 5])),
                    fallback=draw(st.sampled_from([(), ("letter",)])),
                    after=draw(st.sampled_from(["", codes[level - 1]])),
                    min_amount_mills=draw(st.sampled_from([0, 0, 200_000])),
                    min_share=draw(st.sampled_from([0.0, 0.0, 0.5])),
                    repeat_days=draw(st.sampled_from([0, 0, 9])), when=draw(whens),
                    purpose=draw(st.sampled_from(["reminder", "reminder", "formal_notice"])),
                )
            )  # fmt: skip
            codes[level] = code
        if draw(st.booleans()):
            found.append(
                Step(f"call{level}", "overdue", level, day + draw(st.integers(0, 4)), "call", "", "soft",
                     after=draw(st.sampled_from(["", codes[level]])),
                     repeat_days=draw(st.sampled_from([0, 6])))
            )  # fmt: skip
    return tuple(found)


@st.composite
def books(draw: st.DrawFn) -> list[Playbook]:
    return [
        Playbook(f"book{n}", draw(st.integers(0, 3)) * 10 + n, {"it": "Libro"},
                 Segment(f"seg{n}", {}, draw(whens)), draw(steps()))
        for n in range(draw(st.integers(1, 2)))
    ]  # fmt: skip


@st.composite
def portfolios(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """Rows of ITEMS, BLOCKS, COVERS, ACCOUNTS, SENT and WAYS for a few accounts."""
    told: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("items", "blocks", "covers", "accounts", "sent", "ways")
    }
    for account in range(1, draw(st.integers(1, 3)) + 1):
        for currency in draw(st.sampled_from([["EUR"], ["EUR"], ["EUR", "USD"]])):
            _account(draw, told, account, currency)
        for _ in range(draw(st.integers(0, 2))):
            told["sent"].append(
                {"account_id": account, "contact_id": account, "address": draw(addresses),
                 "channel": draw(st.sampled_from(["email", "sms", "call"])),
                 "track": draw(st.sampled_from(["overdue", "soon"])), "purpose": "reminder",
                 "date": DAY - timedelta(days=draw(st.integers(0, 40)))}
            )  # fmt: skip
        for channel in draw(st.sets(st.sampled_from(["email", "sms", "pec", "letter"]))):
            for place in range(1, draw(st.integers(1, 2)) + 1):
                told["ways"].append(
                    {"account_id": account, "contact_id": account * 10 + place, "name": "Ufficio",
                     "channel": channel, "address": draw(addresses), "language": "it", "place": place,
                     "stop": draw(st.sampled_from(["", "", "bounced"])), "has_consent": draw(st.booleans())}
                )  # fmt: skip
    return told


addresses = st.sampled_from(["a@example.test", "A@example.test", "b@example.test", "c@example.test", ""])


def _account(draw: st.DrawFn, told: dict[str, list[dict[str, Any]]], account: int, currency: str) -> None:
    total = 0
    for _ in range(draw(st.integers(1, 4))):
        number, balance = len(told["items"]) + 1, draw(amounts.filter(bool))
        level = draw(st.sampled_from([0, 0, 0, 1, 2]))
        told["items"].append(
            {"item_id": number, "account_id": account, "currency": currency, "kind": "installment",
             "balance_mills": balance, "due_date": draw(days_around), "level": level,
             "last_step": draw(st.sampled_from(["", f"late{level}.0", f"late{level}.1"])) if level else "",
             "last_date": DAY - timedelta(days=draw(st.integers(0, 20))) if level else None,
             "soon_steps": draw(st.sampled_from([[], [], ["soon0"]]))}
        )  # fmt: skip
        total += balance
        if draw(st.integers(0, 3)) == 0:
            told["blocks"].append(
                {"item_id": number, "code": draw(st.sampled_from(CODES)), "ref": 1,
                 "mills": draw(st.one_of(st.none(), amounts)), "until_date": DAY + timedelta(days=3)}
            )  # fmt: skip
    if draw(st.integers(0, 3)) == 0:
        told["covers"].append(
            {"account_id": account, "currency": draw(st.sampled_from([currency, currency, None])), "ref": 1,
             "code": "unapplied", "mills": draw(st.one_of(st.none(), amounts, amounts, amounts))}
        )  # fmt: skip
    told["accounts"].append(
        {"account_id": account, "currency": currency, "country": "IT",
         "segment": draw(st.sampled_from(["", "", "seg1"])), "class": draw(st.sampled_from(["A", "D", ""])),
         "open_mills": total, "known_days": draw(st.sampled_from([None, 50, 500])), "late_days": None,
         "promise": draw(st.sampled_from(["none", "open", "broken"])), "has_dispute": draw(st.booleans()),
         "has_plan": False, "is_insolvent": draw(st.integers(0, 9)) == 0,
         "delay_reason": draw(st.sampled_from(["", "cash", "forgotten"]))}
    )  # fmt: skip


rule_sets = st.builds(
    SendingRules,
    daily_cap=st.sampled_from([1, 3, 200]), grace_days=st.sampled_from([0, 0, 3]),
    rest_days=st.sampled_from([0, 5]), contact_week_cap=st.sampled_from([1, 3]),
    contact_day_cap=st.sampled_from([1, 2]), account_month_cap=st.sampled_from([1, 2, 6]),
    blocks_whole_item=st.sampled_from([(), ("disputed",)]),
)  # fmt: skip
# Accounts whose reply waits, levels of notices whose term runs, items that a notice asked for.
Waits = tuple[tuple[int, ...], dict[tuple[int, str], int], tuple[int, ...]]
pausing: st.SearchStrategy[Waits] = st.tuples(
    st.sampled_from([(), (), (1,), (2, 3)]),
    st.dictionaries(
        st.tuples(st.integers(1, 3), st.sampled_from(["EUR", "USD"])), st.integers(1, 4), max_size=2
    ),
    st.sets(st.integers(1, 6), max_size=2).map(tuple),
)


def paused(waits: Waits) -> Pauses:
    replies, terms, noticed = waits
    later = DAY + timedelta(days=4)
    return Pauses(
        pl.DataFrame([(account, DAY) for account in replies], schema=REPLIES, orient="row"),
        pl.DataFrame(
            [(*key, level, later) for key, level in sorted(terms.items())], schema=TERMS, orient="row"
        ),
        pl.DataFrame([(item,) for item in noticed], schema=NOTICED, orient="row"),
    )


booked = st.sampled_from([None, DAY, DAY - timedelta(days=2), DAY - timedelta(days=20)])


def frames(told: dict[str, list[dict[str, Any]]]) -> dict[str, pl.DataFrame]:
    schemas = {
        "items": ITEMS,
        "blocks": BLOCKS,
        "covers": COVERS,
        "accounts": ACCOUNTS,
        "sent": SENT,
        "ways": WAYS,
    }
    return {name: pl.DataFrame(told[name], schema=schema) for name, schema in schemas.items()}


def planned(
    playbooks: list[Playbook], told: dict[str, list[dict[str, Any]]], until: date | None, rules: SendingRules,
    is_live: bool = True, pauses: Pauses | None = None,
) -> pl.DataFrame:  # fmt: skip
    made = frames(told)
    out = left_out(made["items"], made["blocks"], made["covers"], rules)
    return plan(
        list(enumerate(playbooks)), made["accounts"], with_asked(made["items"], out), made["sent"],
        made["ways"], DAY, until, rules, is_live, out, pauses,
    )  # fmt: skip


def as_told(rows: pl.DataFrame) -> dict[tuple[int, str, str], dict[str, Any]]:
    return {
        (row["account_id"], row["currency"], row["track"]): {
            **{
                name: row[name] for name in ("playbook", "step", "level", "channel", "asked_mills", "blocked")
            },
            "contact_id": row["contact_id"],
            "items": {
                item["item_id"]: (item["asked_mills"], item["level"], item["level_before"])
                for item in row["items"]
            },
        }
        for row in rows.iter_rows(named=True)
    }


def expected(
    playbooks: list[Playbook], told: dict[str, list[dict[str, Any]]], until: date | None, rules: SendingRules,
    is_live: bool, waits: Waits = ((), {}, ()),
) -> dict[tuple[int, str, str], dict[str, Any]]:  # fmt: skip
    asked = asked_of(told["items"], told["blocks"], told["covers"], rules)
    items = [item | {"asked_mills": asked[item["item_id"]]} for item in told["items"]]
    rows = reference_plan(
        playbooks, told["accounts"], items, told["sent"], told["ways"], DAY, until, rules, is_live,
        *waits,
    )  # fmt: skip
    names = ("playbook", "step", "level", "channel", "asked_mills", "blocked", "contact_id", "items")
    return {key: {name: row[name] for name in names} for key, row in rows.items()}


@settings(max_examples=120, deadline=None)
@given(books(), portfolios(), booked, rule_sets, st.sampled_from([True, True, True, False]), pausing)
def test_the_plan_of_a_portfolio_is_that_of_each_account(
    playbooks: list[Playbook], told: dict[str, list[dict[str, Any]]], until: date | None, rules: SendingRules,
    is_live: bool, waits: Waits,
) -> None:  # fmt: skip
    found = as_told(planned(playbooks, told, until, rules, is_live, paused(waits)))
    assert found == expected(playbooks, told, until, rules, is_live, waits)


@settings(max_examples=80, deadline=None)
@given(books(), portfolios(), rule_sets, pausing)
def test_who_waits_for_an_answer_or_has_a_term_gets_no_reminder(
    playbooks: list[Playbook], told: dict[str, list[dict[str, Any]]], rules: SendingRules, waits: Waits
) -> None:
    replies, terms, noticed = waits
    written = ("email", "sms", "pec", "letter")
    for row in planned(playbooks, told, None, rules, pauses=paused(waits)).iter_rows(named=True):
        if row["track"] != OVERDUE or row["channel"] not in written:
            assert row["blocked"] not in ("reply_waiting", "term_running")
            continue
        for item in row["items"]:
            assert item["item_id"] not in noticed or item["level_before"] <= row["level"]
        if row["account_id"] in replies or row["level"] < terms.get((row["account_id"], row["currency"]), 0):
            assert row["blocked"]


@settings(max_examples=80, deadline=None)
@given(portfolios(), rule_sets)
def test_what_may_be_asked_is_what_is_left_of_each_item(
    told: dict[str, list[dict[str, Any]]], rules: SendingRules
) -> None:
    made = frames(told)
    found = askable(made["items"], made["blocks"], made["covers"], DAY, rules)
    assert dict(found.select("item_id", "asked_mills").iter_rows()) == asked_of(
        told["items"], told["blocks"], told["covers"], rules
    )
    out = left_out(made["items"], made["blocks"], made["covers"], rules)
    assert out.schema == pl.Schema(LEFT_OUT) and (out["mills"] > 0).all()
    for item in found.iter_rows(named=True):
        own = out.filter(pl.col("item_id") == item["item_id"])
        assert item["asked_mills"] == max(item["balance_mills"] - own["mills"].sum(), 0)
        assert sorted(set(own["code"])) == item["codes"]


@settings(max_examples=80, deadline=None)
@given(books(), portfolios(), booked, rule_sets)
def test_nothing_settled_is_asked_and_no_level_that_applies_is_jumped(
    playbooks: list[Playbook], told: dict[str, list[dict[str, Any]]], until: date | None, rules: SendingRules
) -> None:
    by_id = {item["item_id"]: item for item in told["items"]}
    blocked = {number: 0 for number in by_id}
    for block in told["blocks"]:
        balance = by_id[block["item_id"]]["balance_mills"]
        blocked[block["item_id"]] += balance if block["mills"] is None else block["mills"]
    written = {book.code: [s.level for s in book.steps if s.track == OVERDUE] for book in playbooks}
    for row in planned(playbooks, told, until, rules).iter_rows(named=True):
        assert row["items"] and row["asked_mills"] == sum(item["asked_mills"] for item in row["items"])
        for item in row["items"]:
            left = by_id[item["item_id"]]["balance_mills"] - blocked[item["item_id"]]
            assert 0 < item["asked_mills"] <= left
            assert item["level_before"] <= item["level"] <= max(row["level"], item["level_before"])
            if row["track"] == OVERDUE and item["level"] > item["level_before"]:
                assert item["due_date"] < min(DAY, until or DAY)
                between = range(item["level_before"] + 1, item["level"])
                # What lies between was for others: a step without conditions is never passed.
                book = next(b for b in playbooks if b.code == row["playbook"])
                assert not [
                    s for s in book.steps
                    if s.track == OVERDUE and s.level in between and s.when.is_empty and s.channel != "call"
                ]  # fmt: skip
        if row["track"] == OVERDUE:
            assert row["level"] in written[row["playbook"]]


@settings(max_examples=60, deadline=None)
@given(books(), portfolios(), portfolios(), booked, rule_sets)
def test_another_account_changes_nothing_for_the_others(
    playbooks: list[Playbook], told: dict[str, list[dict[str, Any]]], other: dict[str, list[dict[str, Any]]],
    until: date | None, rules: SendingRules,
) -> None:  # fmt: skip
    rules = replace(rules, daily_cap=1000)
    shifted = {name: [_shifted(row) for row in rows] for name, rows in other.items()}
    both = {name: rows + shifted[name] for name, rows in told.items()}
    alone = as_told(planned(playbooks, told, until, rules))
    together = as_told(planned(playbooks, both, until, rules))
    assert {key: row for key, row in together.items() if key[0] < 1000} == alone


def _shifted(row: dict[str, Any]) -> dict[str, Any]:
    moved = dict(row)
    for name in ("account_id", "item_id", "contact_id"):
        if moved.get(name) is not None:
            moved[name] += 1000
    if moved.get("address"):
        moved["address"] = f"other-{moved['address']}"
    return moved


@settings(max_examples=60, deadline=None)
@given(books(), portfolios(), st.data(), rule_sets)
def test_a_later_due_date_raises_no_level(
    playbooks: list[Playbook], told: dict[str, list[dict[str, Any]]], data: st.DataObject, rules: SendingRules
) -> None:
    # Covers go to the oldest item first, so a due date that moves may leave another one to be asked.
    told = told | {"covers": []}
    moved = data.draw(st.sampled_from(told["items"]))
    later = moved | {"due_date": moved["due_date"] + timedelta(days=data.draw(st.integers(1, 20)))}
    after = told | {"items": [later if item is moved else item for item in told["items"]]}
    before_levels = _levels(as_told(planned(playbooks, told, None, rules)))
    after_levels = _levels(as_told(planned(playbooks, after, None, rules)))
    number = moved["item_id"]
    assert after_levels.get(number, moved["level"]) <= before_levels.get(number, moved["level"])


def _levels(rows: dict[tuple[int, str, str], dict[str, Any]]) -> dict[int, int]:
    return {
        number: level
        for key, row in rows.items()
        if key[2] == OVERDUE and row["blocked"] != "below_minimum"
        for number, (_, level, _before) in row["items"].items()
    }
