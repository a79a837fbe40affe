"""Two questions after a dispute or a payment plan is closed, through the one sender, and what is answered.

    queue_surveys           whoever something was closed with in the last days, nobody twice within the rest
    survey_page, answer     the customer's page, behind a signed link

The company switches it on in its rules of sending. docs/rules/care.md
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from django.db import connection, transaction

from saldo.collection.holds import holds_in_force
from saldo.core.context import Context
from saldo.core.message_facts import MessageFacts
from saldo.core.playbook import EMAIL, SURVEY
from saldo.disputes.queries import closed_disputes, dispute_parts
from saldo.flows.jobs import defer_sends
from saldo.flows.message_drafts import Moment, Queued, Refused, address_problem, lock_accounts, moment
from saldo.identity.queries import companies
from saldo.ledger.owed import deciding
from saldo.ledger.queries import clocks
from saldo.measurement import surveys
from saldo.measurement.surveys import DISPUTE, PLAN, Asked
from saldo.outreach.facts import language_of, way_of
from saldo.outreach.links import SURVEY as LINK
from saldo.outreach.links import opt_out_url, public_url, survey_url, token_of_link
from saldo.outreach.messages import Draft, make_many, token_of
from saldo.outreach.settings import is_live, rules_of
from saldo.outreach.templates import filled
from saldo.storage.locks import retried

# How long after something was closed it still makes sense to ask how it went.
ASK_DAYS = 14
NO_WORDS, NO_LINK, ASKED_LATELY = "action_no_words", "survey_no_link", "survey_asked_lately"
_PLANS = """
SELECT e.plan_id, p.account_id, e.effective_date
  FROM promises_planend e JOIN promises_paymentplan p ON p.id = e.plan_id
 WHERE e.outcome = 'completed' AND e.effective_date BETWEEN %(since)s AND %(as_of)s
   AND e.recorded_at <= %(known_at)s AND p.company_id = %(company_id)s
 ORDER BY e.plan_id
"""


@dataclass(frozen=True, slots=True)
class Closed:
    """A dispute or a plan that came to its end."""

    kind: str
    subject_id: int
    account_id: int
    day: date

    @property
    def key(self) -> str:
        return f"survey:{self.kind}:{self.subject_id}"


def queue_surveys(ctx: Context, company_id: int) -> Queued:
    """Ask about what was closed in the last ASK_DAYS days: an account once, of several about the newest."""
    rules = rules_of(company_id, ctx.known_at)
    if not rules.survey or not is_live(company_id, ctx.as_of, ctx.known_at):
        return Queued()
    within = ctx.within(company_id)
    closed = _not_asked(_closed(within))
    if not closed:
        return Queued()
    if not public_url():
        return Queued((), tuple(Refused(None, each.account_id, NO_LINK) for each in closed))
    return retried(lambda: _queued(within, closed, rules.survey_rest_days))


def _closed(ctx: Context) -> list[Closed]:
    since = ctx.as_of - timedelta(days=ASK_DAYS)
    found = [
        Closed(DISPUTE, each.dispute_id, each.account_id, each.ended_date)
        for each in closed_disputes(ctx, since)
    ]
    with connection.cursor() as cursor:
        cursor.execute(_PLANS, {**clocks(ctx), "since": since, "company_id": ctx.company_id})
        found += [Closed(PLAN, *row) for row in cursor.fetchall()]
    return found


def _not_asked(closed: Sequence[Closed]) -> list[Closed]:
    """The newest of each account that nobody was asked about."""
    newest: dict[int, Closed] = {}
    for each in sorted(closed, key=lambda each: (each.day, each.kind, each.subject_id)):
        newest[each.account_id] = each
    asked = {
        kind: surveys.asked_about(kind, [each.subject_id for each in newest.values() if each.kind == kind])
        for kind in surveys.KINDS
    }
    return [each for each in newest.values() if each.subject_id not in asked[each.kind]]


@transaction.atomic
def _queued(ctx: Context, closed: Sequence[Closed], rest_days: int) -> Queued:
    assert ctx.company_id is not None
    ids = sorted({each.account_id for each in closed})
    lock_accounts(ids)
    now = moment(ctx, ids)
    # Who is in the middle of something else, or is to be left alone, is not asked how it went.
    busy = set(holds_in_force(ctx, ids)["account_id"].to_list())
    busy |= set(dispute_parts(ctx, ids)["account_id"].to_list())
    drafts: list[tuple[Closed, Draft]] = []
    refused: list[Refused] = []
    for each in closed:
        if each.account_id in busy:
            continue
        draft = _draft(ctx, each, now)
        if isinstance(draft, Draft):
            drafts.append((each, draft))
        else:
            refused.append(draft)
    since = ctx.as_of - timedelta(days=rest_days)
    accounts, addresses = surveys.asked_lately(
        ctx.company_id, since, ids, [draft.to_address for _, draft in drafts]
    )
    going: list[tuple[Closed, Draft]] = []
    for each, draft in drafts:
        address = draft.to_address.lower()
        if each.account_id in accounts or address in addresses:
            refused.append(Refused(None, each.account_id, ASKED_LATELY, {"days": rest_days}))
            continue
        # One mailbox may be that of several accounts.
        addresses.add(address)
        going.append((each, draft))
    made = make_many(ctx, [draft for _, draft in going])
    for each, draft in going:
        surveys.record_survey(
            ctx, each.account_id, each.kind, each.subject_id, each.day, draft.key, token_of(draft.key),
            draft.to_address, draft.language,
        )  # fmt: skip
    new = [one.id for one in made if one.is_new]
    defer_sends(new)
    return Queued(tuple(new), tuple(refused))


def _draft(ctx: Context, closed: Closed, now: Moment) -> Draft | Refused:
    assert ctx.company_id is not None
    way = way_of(now.ways, closed.account_id, EMAIL, None)
    if (problem := address_problem(EMAIL, way)) or way is None:
        return Refused(None, closed.account_id, problem)
    receiver = replace(now.receivers[closed.account_id], contact=way.name)
    language = language_of(way.language, receiver.country)
    template = now.templates.get((SURVEY, EMAIL, language))
    if template is None:
        return Refused(None, closed.account_id, NO_WORDS, {"template": SURVEY, "channel": EMAIL})
    token, currency = token_of(closed.key), _currency(ctx)
    facts = MessageFacts(
        now.sender, receiver, ctx.as_of, currency, (), SURVEY,
        opt_out_link=opt_out_url(token), survey_link=survey_url(token),
    )  # fmt: skip
    said = filled(template.template, facts, EMAIL, language)
    return Draft(
        company_id=ctx.company_id, account_id=closed.account_id, key=closed.key, channel=EMAIL,
        purpose=SURVEY, currency=currency, language=language, subject=said.subject, body=said.body,
        as_of=ctx.as_of, to_name=way.name, to_address=way.address, contact_id=way.contact_id,
        template=SURVEY, template_version=template.version,
    )  # fmt: skip


def _currency(ctx: Context) -> str:
    (company,) = companies(ctx)
    return company.currency


def survey_page(ctx: Context, signed: str) -> Asked:
    """What the page shows; looking changes nothing. Raises SaldoError("link_unknown")."""
    return surveys.survey_of(token_of_link(LINK, signed))


def answer(ctx: Context, signed: str, csat: int | None, nps: int | None, comment: str = "") -> Asked:
    """Keep what the customer answered.

    Raises SaldoError: link_unknown, survey_answer_invalid, survey_over.
    """
    asked = survey_page(ctx, signed)
    with deciding(ctx, asked.account_id) as inner:
        surveys.record_answer(inner, asked.id, csat, nps, comment)
    return surveys.survey_of(token_of_link(LINK, signed))
