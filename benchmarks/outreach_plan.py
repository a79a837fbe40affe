"""How fast the plan of a day is made: askable amounts, steps, messages, ways, caps and reasons.

    python -m benchmarks.outreach_plan            100,000 accounts, ten open items each, four playbooks
    python -m benchmarks.outreach_plan --small    a tenth of it

The frames are made up: four items in ten are overdue, one in five of those was reminded of before, one
account in twenty has something that leaves dunning or money that could cover it.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta

import numpy as np
import polars as pl

from benchmarks.measure import Result, measured
from saldo.analytics.askable import ACCOUNTS, BLOCKS, COVERS, ITEMS, SENT, WAYS, left_out, with_asked
from saldo.analytics.playbook_plan import plan
from saldo.core.playbook import Playbook, Segment, Step, When
from saldo.core.sending import SendingRules

AS_OF = date(2026, 3, 31)
ACCOUNTS_COUNT, ITEMS_EACH = 100_000, 10
RULES = SendingRules(cutover_date=date(2026, 1, 1), daily_cap=1_000_000)
FASTEST_OPEN_LINES = 1_215


def _steps(days: tuple[int, int, int]) -> tuple[Step, ...]:
    soft, firm, formal = days
    return (
        Step("documents", "soon", 0, -10, "email", "documents_check", "courtesy", until_day=-4),
        Step("courtesy", "soon", 0, -3, "email", "courtesy", "courtesy"),
        Step("reminder-1", "overdue", 1, soft, "email", "reminder_1", "soft", fallback=("pec", "letter")),
        Step("call", "overdue", 1, soft + 4, "call", "", "soft", after="reminder-1"),
        Step(
            "reminder-2", "overdue", 2, firm, "email", "reminder_2", "firm", wait_days=7, fallback=("pec",),
            min_amount_mills=50_000,
        ),
        Step(
            "formal", "overdue", 3, formal, "pec", "formal_notice", "formal", wait_days=10,
            fallback=("letter",), min_amount_mills=500_000, purpose="formal_notice",
        ),
    )  # fmt: skip


def playbooks() -> list[tuple[int, Playbook]]:
    """Four playbooks, the last for everybody else."""
    shapes = [
        ("new", When(max_known_days=180), (3, 12, 30)),
        ("risky", When(classes=("D", "E"), min_open_mills=20_000_000), (1, 8, 20)),
        ("loyal", When(max_late_days=5, classes=("A", "B")), (8, 20, 45)),
        ("standard", When(), (5, 15, 40)),
    ]
    return [
        (number, Playbook(code, number, {"it": code, "en": code}, Segment(code, {}, when), _steps(days)))
        for number, (code, when, days) in enumerate(shapes, start=1)
    ]


def _days(offsets: np.ndarray) -> pl.Series:
    return pl.Series(np.datetime64(AS_OF, "D") - offsets.astype("timedelta64[D]")).cast(pl.Date)


def make_frames(accounts: int, each: int) -> dict[str, pl.DataFrame]:
    """ITEMS, ACCOUNTS, BLOCKS, COVERS, SENT and WAYS of a portfolio of that size."""
    draws = np.random.default_rng(6)
    count = accounts * each
    owner = np.repeat(np.arange(accounts), each)
    late = draws.integers(-60, 40, count)
    level = np.where((late > 5) & (draws.random(count) < 0.2), draws.integers(1, 3, count), 0)
    items = pl.DataFrame(
        {
            "item_id": np.arange(count),
            "account_id": owner,
            "currency": pl.Series(["EUR"]).extend_constant("EUR", count - 1),
            "kind": pl.Series(["installment"]).extend_constant("installment", count - 1),
            "balance_mills": draws.integers(20_000, 20_000_000, count),
            "due_date": _days(late),
            "level": level,
            "last_step": pl.Series(level).replace_strict({0: "", 1: "reminder-1", 2: "reminder-2"}),
            "last_date": _days(np.minimum(late - 5, 20)),
            "soon_steps": pl.Series([[]] * count, dtype=pl.List(pl.String)),
        },
        schema_overrides=ITEMS,
    ).with_columns(pl.when(pl.col("level") > 0).then("last_date").alias("last_date"))
    return {
        "items": items,
        "accounts": _accounts(items, draws, accounts),
        "blocks": _blocks(items, draws),
        "covers": _covers(draws, accounts),
        "sent": _sent(draws, accounts),
        "ways": _ways(draws, accounts),
    }


def _accounts(items: pl.DataFrame, draws: np.random.Generator, accounts: int) -> pl.DataFrame:
    opened = items.group_by("account_id", "currency").agg(pl.col("balance_mills").sum().alias("open_mills"))
    return opened.sort("account_id").with_columns(
        pl.lit("IT").alias("country"), pl.lit("").alias("segment"),
        pl.Series("class", draws.choice(list("ABCDE"), accounts)),
        pl.Series("known_days", draws.integers(10, 3000, accounts)),
        pl.Series("late_days", draws.integers(-5, 40, accounts).astype(float)),
        pl.lit("").alias("promise"), pl.lit(False).alias("has_dispute"), pl.lit(False).alias("has_plan"),
        pl.Series("is_insolvent", draws.random(accounts) < 0.005), pl.lit("").alias("delay_reason"),
    ).select(*ACCOUNTS)  # fmt: skip


def _blocks(items: pl.DataFrame, draws: np.random.Generator) -> pl.DataFrame:
    chosen = items.filter(pl.Series(draws.random(items.height) < 0.05)).select("item_id", "balance_mills")
    codes = draws.choice(["promised", "disputed", "planned", "held", "in_flight"], chosen.height)
    return chosen.with_columns(
        pl.Series("code", codes), pl.lit(AS_OF + timedelta(days=9)).alias("until_date"),
        pl.when(pl.Series(draws.random(chosen.height) < 0.5))
        .then(pl.col("balance_mills") // 3)
        .alias("mills"),
        pl.col("item_id").alias("ref"),
    ).select(*BLOCKS)  # fmt: skip


def _covers(draws: np.random.Generator, accounts: int) -> pl.DataFrame:
    own = np.flatnonzero(draws.random(accounts) < 0.05)
    amounts = draws.integers(10_000, 5_000_000, len(own))
    return pl.DataFrame(
        {"account_id": own, "currency": ["EUR"] * len(own), "code": ["unapplied"] * len(own),
         "mills": amounts, "ref": own},
        schema=COVERS,
    )  # fmt: skip


def _sent(draws: np.random.Generator, accounts: int) -> pl.DataFrame:
    own = np.flatnonzero(draws.random(accounts) < 0.3)
    return pl.DataFrame(
        {"account_id": own, "contact_id": own, "address": [f"a{n}@example.test" for n in own],
         "channel": ["email"] * len(own), "track": ["overdue"] * len(own), "purpose": ["reminder"] * len(own),
         "date": _days(draws.integers(1, 60, len(own)))},
        schema=SENT,
    )  # fmt: skip


def _ways(draws: np.random.Generator, accounts: int) -> pl.DataFrame:
    parts = []
    for channel, share in (("email", 0.9), ("pec", 0.5), ("letter", 0.95), ("call", 0.8)):
        own = np.flatnonzero(draws.random(accounts) < share)
        parts.append(
            pl.DataFrame({"account_id": own, "contact_id": own}).with_columns(
                pl.lit("Ufficio fornitori").alias("name"), pl.lit(channel).alias("channel"),
                pl.format("a{}@example.test", "account_id").alias("address"), pl.lit("it").alias("language"),
                pl.lit(1).alias("place"), pl.lit("").alias("stop"), pl.lit(False).alias("has_consent"),
            ).select(*WAYS).cast(WAYS)
        )  # fmt: skip
    return pl.concat(parts)


def make_plan(frames: dict[str, pl.DataFrame], ids: list[int] | None = None) -> pl.DataFrame:
    """What a day does after its facts are gathered. ids: of the playbooks' versions."""
    out = left_out(frames["items"], frames["blocks"], frames["covers"], RULES)
    numbered = playbooks()
    if ids is not None:
        numbered = [(version, book) for version, (_, book) in zip(ids, numbered, strict=True)]
    return plan(
        numbered, frames["accounts"], with_asked(frames["items"], out), frames["sent"], frames["ways"],
        AS_OF, AS_OF - timedelta(days=1), RULES, True, out,
    )  # fmt: skip


def bench_plan(accounts: int = ACCOUNTS_COUNT) -> Result:
    """The plan of a day without a database."""
    frames = make_frames(accounts, ITEMS_EACH)
    with measured("plan of a day, from frames", "< 60 s for 100,000 accounts") as result:
        planned = make_plan(frames)
    return _told(result, planned, accounts)


def bench_kept_plan(accounts: int = ACCOUNTS_COUNT) -> Result:
    """The plan of a day, planned and kept by COPY; Django is set up, on a database of its own."""
    frames = make_frames(accounts, ITEMS_EACH)
    base, versions, day_run_id = playbook_world(accounts)
    from saldo.collection.playbook_actions import keep_plan

    shifted = {
        name: frame.with_columns(pl.col("account_id") + base) if "account_id" in frame.columns else frame
        for name, frame in frames.items()
    }
    del frames
    with measured("plan of a day, planned and kept", "< 60 s for 100,000 accounts") as result:
        planned = make_plan(shifted, versions)
        kept = keep_plan(day_run_id, planned)
    assert kept == planned.height
    return _told(result, planned, accounts)


def _told(result: Result, planned: pl.DataFrame, accounts: int) -> Result:
    lines = int(planned["items"].list.len().sum())
    result.figures = {
        "accounts/s": round(accounts / result.seconds),
        "lines/s": round(lines / result.seconds),
        "messages": planned.height,
        "lines": lines,
    }
    result.met = result.seconds < 60 and lines / result.seconds > FASTEST_OPEN_LINES
    return result


def playbook_world(accounts: int) -> tuple[int, list[int], int]:
    """Accounts, playbook versions and a day run in the database: the id before the first account, ids."""
    from datetime import UTC, datetime

    from django.db import connection

    from saldo.collection.models import PlaybookVersion
    from saldo.core.context import Context
    from saldo.identity.operations import ensure_company, fix_known_at, open_day_run

    ctx = Context("bench", AS_OF, lambda: datetime.now(UTC))
    company = ensure_company(ctx, "OUTREACH")
    at = datetime.now(UTC)
    with connection.cursor() as cursor:
        for sql in (_CUSTOMERS, _ACCOUNTS_OF):
            cursor.execute(sql, {"n": accounts, "company": company.id, "at": at})
        cursor.execute("SELECT min(id) FROM parties_customeraccount WHERE company_id = %s", [company.id])
        ((first,),) = cursor.fetchall()
    versions = [
        PlaybookVersion.objects.create(
            company_id=company.id, code=book.code, version=1, content="", digest=book.code, actor="bench",
            recorded_at=at,
        ).id
        for _, book in playbooks()
    ]  # fmt: skip
    run = open_day_run(fix_known_at(ctx.within(company.id), company.id), 1, "bench", "0" * 64)
    return first, versions, run.id


_CUSTOMERS = """
INSERT INTO parties_customer (name, search_text, sort_name, vat_number, tax_code, country, address, zip_code,
                              city, province)
SELECT 'Cliente ' || n, 'CLIENTE ' || n, 'CLIENTE ' || n, '', '', 'IT', '', '', '', ''
  FROM generate_series(1, %(n)s) n
"""
_ACCOUNTS_OF = """
INSERT INTO parties_customeraccount (company_id, customer_id, code, segment, terms_text, recorded_at)
SELECT %(company)s, id, 'C' || id, '', '', %(at)s FROM (
    SELECT id FROM parties_customer WHERE name LIKE 'Cliente %%' ORDER BY id DESC LIMIT %(n)s) c
 ORDER BY id
"""


if __name__ == "__main__":
    print(bench_plan(ACCOUNTS_COUNT // 10 if "--small" in sys.argv else ACCOUNTS_COUNT).line())
