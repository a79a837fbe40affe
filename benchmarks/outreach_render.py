"""How fast decided actions become messages, and letters paper.

    python -m benchmarks.run --only render            10,000 e-mails of five invoices each, 2,000 letters
    python -m benchmarks.run --only render --small    a tenth of it

The actions come from the real planner over imported invoices; each e-mail is worded from its template with
the facts of the moment, and kept with its items, its first delivery, its event and its job. Each letter is a
PDF/A of its own with a payment code and a statement of account.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from benchmarks.measure import Result, measured
from benchmarks.world import MAPPING

DAY = date(2026, 6, 30)
MAILS, LETTERS, ITEMS_EACH = 10_000, 2_000, 5
MAIL_SECONDS, LETTER_SECONDS = 60, 90
AT_ONCE = 200
CODE = "RENDER"
PLAYBOOK = """
code = "bench"
order = 1
title = { it = "Prova", en = "Trial" }
[segment]
code = "all"
title = { it = "Tutti", en = "All" }
[[step]]
code = "reminder-1"
track = "overdue"
level = 1
day = 5
channel = "email"
fallback = ["letter"]
template = "reminder_1"
tone = "soft"
mode = "automatic"
attach = ["statement"]
"""


def bench_render(scale: int = 1) -> list[Result]:
    """The e-mails queued, the letters set; ``scale`` divides their number."""
    from saldo.collection.models import PlaybookAction
    from saldo.flows.queue_messages import queue_automatic
    from saldo.outreach.models import Message
    from saldo.outreach.rendering import letter_pdfs

    mails, letters = MAILS // scale, LETTERS // scale
    company_id, run_id = _world(mails, letters)
    results = []
    letters_of_run = PlaybookAction.objects.filter(day_run_id=run_id, channel="letter")
    assert letters_of_run.count() == letters
    with measured("render and queue e-mails", f"10,000 in < {MAIL_SECONDS} s") as result:
        told = queue_automatic(_context("system:bench"), company_id, run_id)
    assert len(told.done) == mails + letters and not told.refused, told.refused[:3]
    result.figures = {"messages": len(told.done), "messages/s": round(len(told.done) / result.seconds)}
    result.met = result.seconds < MAIL_SECONDS / scale
    results.append(result)
    ids = list(Message.objects.filter(company_id=company_id, channel="letter").values_list("id", flat=True))
    with measured("letters to PDF/A", f"2,000 in < {LETTER_SECONDS} s") as result:
        size = 0
        for start in range(0, len(ids), AT_ONCE):
            size += sum(len(data) for _, data in letter_pdfs(_context(), ids[start : start + AT_ONCE]))
    each = size // 1024 // len(ids)
    result.figures = {"letters": len(ids), "letters/s": round(len(ids) / result.seconds), "KiB each": each}
    result.met = result.seconds < LETTER_SECONDS / scale
    return [*results, result]


def _context(actor: str = "system:bench") -> Any:
    from saldo.core.context import Context

    return Context(actor, DAY, lambda: datetime.now(UTC))


def _world(mails: int, letters: int) -> tuple[int, int]:
    """Customers who owe, the first with an e-mail address, all with a postal one; the plan of the day."""
    from django.db.models import CharField, Value
    from django.db.models.functions import Concat

    from saldo.collection.playbook_actions import keep_plan
    from saldo.collection.playbook_changes import activate, save
    from saldo.flows.import_documents import import_file
    from saldo.flows.plan_outreach import plan_outreach
    from saldo.identity.operations import ensure_company, fix_known_at, open_day_run
    from saldo.outreach.settings import change_rules
    from saldo.parties.models import Contact, Customer, CustomerAccount

    company = ensure_company(_context(), CODE, "Officine Brambilla S.p.A.", vat_number="IT01234567897")
    import_file(_context(), "render.csv", _csv(mails + letters), "receivables", MAPPING, CODE, DAY)
    # Of equal addresses one would be written to: a contact's caps are by address.
    Customer.objects.filter(accounts__company_id=company.id).update(
        address=Concat(Value("Via Roma "), "id", output_field=CharField()),
        zip_code="20100", city="Milano", province="MI", country="IT",
    )  # fmt: skip
    accounts = CustomerAccount.objects.filter(company_id=company.id).order_by("id")
    Contact.objects.bulk_create(
        Contact(account_id=each, name="Ufficio contabilità", email=f"conti@cliente{each}.example.com")
        for each in accounts.values_list("id", flat=True)[:mails]
    )
    change_rules(
        _context(), company.id, cutover_date=date(2026, 1, 1), daily_cap=100_000,
        iban="IT60X0542811101000000123456",
    )  # fmt: skip
    saved = save(_context("anna"), company.id, PLAYBOOK)
    activate(_context("bruno"), company.id, saved.id)
    ctx = fix_known_at(_context(), company.id)
    run = open_day_run(ctx, 1, "bench", "0" * 64)
    keep_plan(run.id, plan_outreach(ctx, company))
    return company.id, run.id


def _csv(accounts: int) -> bytes:
    lines = ["customer;name;number;date;due;installment;amount;open;settled"]
    for each in range(accounts):
        for n in range(ITEMS_EACH):
            due = DAY - timedelta(days=10 + 7 * n)
            issued = due - timedelta(days=60)
            amount = f"{100 + (each * 37 + n * 911) % 9000},{n}0"
            days = f"{issued:%d/%m/%Y};{due:%d/%m/%Y}"
            lines.append(f"K{each};Cliente {each} S.r.l.;RE/{each}-{n};{days};1;{amount};{amount};")
    return ("\n".join(lines) + "\n").encode()
