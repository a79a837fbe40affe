"""Surveys: what was asked of whom, what was answered, and the figures made of it. docs/rules/care.md

asked_lately, asked_about         reading, before anybody is asked
record_survey, record_answer      changes, in the caller's transaction
survey_of, results, answers       reading
low_answers                       who is unhappy and nobody has called since
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl
from django.db.models import Q, QuerySet

from saldo.core.care import CSAT_LEAST, CSAT_MOST, NPS_MOST, Score, csat, is_low, nps
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.identity.operations import record_event, stamped
from saldo.measurement.models import Survey, SurveyAnswer
from saldo.parties.queries import visible_accounts

DISPUTE, PLAN = "dispute", "plan"
KINDS = (DISPUTE, PLAN)
ANSWER_DAYS = 30
COMMENT_CHARACTERS = 2000
# Whoever holds the link may correct an answer; more of them are somebody playing.
MOST_ANSWERS = 5
LOW, LOW_DAYS = "survey_low", 30
DATED = {"account_id": pl.Int64, "code": pl.String, "date": pl.Date}


@dataclass(frozen=True, slots=True)
class Asked:
    """A survey as the pages need it."""

    id: int
    company_id: int
    company: str
    account_id: int
    kind: str
    language: str
    until_date: date
    csat: int | None
    nps: int | None
    comment: str


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One answer, the last of its survey."""

    survey_id: int
    account_id: int
    name: str
    kind: str
    closed_date: date
    as_of: date
    csat: int
    nps: int
    comment: str
    is_low: bool


@dataclass(frozen=True, slots=True)
class SurveyResults:
    """kind "": all. asked, answered: surveys sent in the period and those of them that were answered."""

    kind: str
    asked: int
    answered: int
    csat: Score | None
    nps: Score | None


def asked_about(kind: str, subject_ids: Sequence[int]) -> set[int]:
    """Those of the disputes (or plans) that a survey was sent about."""
    found = Survey.objects.filter(subject_kind=kind, subject_id__in=list(subject_ids))
    return set(found.values_list("subject_id", flat=True))


def asked_lately(
    company_id: int, since: date, account_ids: Sequence[int], addresses: Sequence[str]
) -> tuple[set[int], set[str]]:
    """Accounts and addresses that the company has sent a survey to since that day."""
    told = Q(account_id__in=list(account_ids)) | Q(to_address__in=[each.lower() for each in addresses])
    found = Survey.objects.filter(told, company_id=company_id, as_of__gt=since)
    rows = found.values_list("account_id", "to_address")
    return {account for account, _ in rows}, {address for _, address in rows}


def record_survey(
    ctx: Context,
    account_id: int,
    kind: str,
    subject_id: int,
    closed_date: date,
    key: str,
    token: str,
    to_address: str,
    language: str,
) -> int:
    """Two questions are put to the customer; ``ctx`` is within the company. The caller holds the account's
    lock and its transaction."""
    assert ctx.company_id is not None
    inner = stamped(ctx, ctx.company_id)
    made = Survey.objects.create(
        company_id=ctx.company_id, account_id=account_id, subject_kind=kind, subject_id=subject_id,
        closed_date=closed_date, key=key, token=token, to_address=to_address.lower(), language=language,
        as_of=ctx.as_of, until_date=ctx.as_of + timedelta(days=ANSWER_DAYS), actor=ctx.actor,
        recorded_at=inner.recorded_at,
    )  # fmt: skip
    data = {"survey": made.id, "kind": kind, "subject": subject_id}
    record_event(inner, "survey.asked", "account", account_id, data)
    return int(made.id)


def survey_of(token: str) -> Asked:
    """Raises SaldoError("link_unknown")."""
    one = Survey.objects.filter(token=token).select_related("company").first()
    if one is None:
        raise SaldoError("link_unknown")
    last = one.answers.order_by("-id").first()
    return Asked(
        one.id, one.company_id, one.company.name, one.account_id, one.subject_kind, one.language,
        one.until_date, last.csat if last else None, last.nps if last else None, last.comment if last else "",
    )  # fmt: skip


def record_answer(ctx: Context, survey_id: int, csat: int | None, nps: int | None, comment: str = "") -> int:
    """What the customer answered; the caller holds the account's lock. Returns the answer's id.

    Raises SaldoError: survey_answer_invalid, survey_over (after its last day, or after many answers).
    """
    good = csat is not None and nps is not None
    if not good or not CSAT_LEAST <= (csat or 0) <= CSAT_MOST or not 0 <= (nps or 0) <= NPS_MOST:
        raise SaldoError("survey_answer_invalid")
    survey = Survey.objects.select_for_update().get(id=survey_id)
    if ctx.as_of > survey.until_date or survey.answers.count() >= MOST_ANSWERS:
        raise SaldoError("survey_over", day=survey.until_date)
    text = comment.replace("\r\n", "\n").strip()[:COMMENT_CHARACTERS]
    last = survey.answers.order_by("-id").first()
    if last is not None and (last.csat, last.nps, last.comment) == (csat, nps, text):
        return int(last.id)
    inner = stamped(ctx, survey.company_id)
    made = SurveyAnswer.objects.create(
        survey=survey, csat=csat, nps=nps, comment=text, as_of=ctx.as_of, recorded_at=inner.recorded_at
    )
    data = {"survey": survey.id, "csat": csat, "nps": nps, "comment": text[:300]}
    record_event(inner, "survey.answered", "account", survey.account_id, data)
    return int(made.id)


def _asked(ctx: Context, since: date, until: date) -> QuerySet[Survey]:
    found = Survey.objects.filter(account__in=visible_accounts(ctx), as_of__gte=since, as_of__lte=until)
    return found.filter(recorded_at__lte=ctx.known_at) if ctx.known_at else found


def answers(ctx: Context, since: date, until: date) -> list[AnswerRow]:
    """The last answer of each survey sent in the period, of accounts that the actor sees; newest first."""
    return _answered(ctx, _asked(ctx, since, until))


def _answered(ctx: Context, surveys: QuerySet[Survey]) -> list[AnswerRow]:
    rows = []
    for one in surveys.select_related("account__customer").prefetch_related("answers").order_by("-id"):
        told = [
            each
            for each in one.answers.all()
            if each.as_of <= ctx.as_of and (ctx.known_at is None or each.recorded_at <= ctx.known_at)
        ]
        if told:
            last = max(told, key=lambda each: each.id)
            rows.append(
                AnswerRow(
                    one.id, one.account_id, one.account.customer.name, one.subject_kind, one.closed_date,
                    last.as_of, last.csat, last.nps, last.comment, is_low(last.csat, last.nps),
                )
            )  # fmt: skip
    return sorted(rows, key=lambda row: (row.as_of, row.survey_id), reverse=True)


def results(ctx: Context, since: date, until: date) -> list[SurveyResults]:
    """The figures of the surveys sent in the period: all of them, then those of each kind."""
    asked = list(_asked(ctx, since, until).values_list("subject_kind", flat=True))
    rows = answers(ctx, since, until)
    found = []
    for kind in ("", *KINDS):
        some = [row for row in rows if kind in ("", row.kind)]
        count = sum(kind in ("", each) for each in asked)
        if kind == "" or count:
            scores = csat([row.csat for row in some]), nps([row.nps for row in some])
            found.append(SurveyResults(kind, count, len(some), *scores))
    return found


def low_answers(ctx: Context) -> pl.DataFrame:
    """DATED: unhappy answers of the last LOW_DAYS days of the company, one row an account: somebody should
    call, whoever runs the day."""
    since = ctx.as_of - timedelta(days=LOW_DAYS)
    asked = Survey.objects.filter(as_of__gte=since - timedelta(days=ANSWER_DAYS), as_of__lte=ctx.as_of)
    if ctx.company_id is not None:
        asked = asked.filter(company_id=ctx.company_id)
    days: dict[int, date] = {}
    for row in _answered(ctx, asked):
        if row.is_low and row.as_of >= since:
            days.setdefault(row.account_id, row.as_of)
    told = [(account, LOW, day) for account, day in sorted(days.items())]
    return pl.DataFrame(told, schema=DATED, orient="row")
