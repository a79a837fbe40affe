"""What the worker runs. Each task calls one flow and is safe to run again: flows recheck their state."""

from __future__ import annotations

import logging
from datetime import date

from django.db import close_old_connections
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from procrastinate.manager import JobManager

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.flows import day
from saldo.flows.apply_cash import apply_cash
from saldo.flows.apply_files import companies_of_batch
from saldo.flows.import_documents import confirm_closures, fail_batch, process
from saldo.flows.jobs import (
    APPLY_TASK,
    CONFIRM_TASK,
    DAY_TASK,
    IMPORT_TASK,
    OPINION_TASK,
    READ_MAIL_TASK,
    SEND_TASK,
    TRAIN_TASK,
    defer_apply_cash,
    defer_read_mail,
)
from saldo.flows.read_mail import fetch
from saldo.flows.second_opinion import ask
from saldo.flows.send_messages import send, sweep
from saldo.flows.train_models import train
from saldo.interfaces import clock
from saldo.outreach.mailboxes import mailboxes

logger = logging.getLogger(__name__)


def _context(actor: str, language: str, as_of: date | None = None) -> Context:
    return Context(actor, as_of or clock.today(), clock.now, language=language)


@app.task(name=IMPORT_TASK)
def import_batch(batch_id: int, language: str = "it") -> None:
    """Read a batch. A designed error is the batch's answer, not the job's failure."""
    close_old_connections()
    ctx = _context("system:worker", language)
    try:
        process(ctx, batch_id)
        # New lines may pay what is open, and new invoices may be what open lines pay.
        for company_id in companies_of_batch(batch_id):
            defer_apply_cash(company_id)
    except SaldoError as error:
        logger.warning("batch %s: %s", batch_id, error)
    except Exception as error:
        fail_batch(ctx, batch_id, error)
        raise


@app.task(name=CONFIRM_TASK)
def confirm(batch_id: int, actor: str, language: str = "it") -> None:
    close_old_connections()
    ctx = _context(actor, language)
    try:
        confirm_closures(ctx, batch_id)
    except Exception as error:
        fail_batch(ctx, batch_id, error)
        raise


@app.task(name=APPLY_TASK)
def apply_open_lines(company_id: int) -> None:
    close_old_connections()
    apply_cash(_context("system:cash", "it"), company_id)


@app.task(name=DAY_TASK)
def run_day(company_id: int, as_of: str, refresh: bool = True) -> None:
    close_old_connections()
    day.run_day(_context("system:worker", "it", date.fromisoformat(as_of)), company_id, refresh)


@app.task(name=TRAIN_TASK)
def train_models(company_id: int, actor: str = "system:worker", language: str = "it") -> None:
    """Learn from all that is known by now. The same facts again give the same models, and change nothing."""
    close_old_connections()
    train(_context(actor, language), company_id)


@app.task(name=READ_MAIL_TASK)
def read_mail(mailbox: str) -> None:
    """Take in what is new in a mailbox. One that cannot be reached is tried again by the next round."""
    close_old_connections()
    try:
        fetched = fetch(_context("system:mail", "it"), mailbox)
    except SaldoError as error:
        logger.warning("mailbox %s: %s", mailbox, error)
        return
    if fetched.more:
        defer_read_mail(mailbox)


@app.task(name=OPINION_TASK)
def second_opinion(reply_id: int) -> None:
    """Ask about a reply that the classifier was not sure of. No answer is no failure."""
    close_old_connections()
    ask(_context("system:mail", "it"), reply_id)


@app.periodic(cron="*/3 * * * *")
@app.task(name="saldo.read_mailboxes", queueing_lock="read_mailboxes")
def read_mailboxes(timestamp: int) -> None:
    """Ask for each configured mailbox to be read; none of them waits for another."""
    close_old_connections()
    try:
        names = [each.name for each in mailboxes()]
    except SaldoError as error:
        logger.warning("no mailbox is read: %s", error)
        return
    for name in names:
        defer_read_mail(name)


@app.task(name=SEND_TASK)
def send_message(message_id: int) -> None:
    """Send one message, if it may leave. It is safe to run this any number of times."""
    close_old_connections()
    send(_context("system:sender", "it"), message_id)


@app.periodic(cron="*/2 * * * *")
@app.task(name="saldo.sweep_messages", queueing_lock="sweep_messages")
def sweep_messages(timestamp: int) -> None:
    """See to messages whose sender or whose job is gone."""
    close_old_connections()
    sweep(_context("system:sender", "it"))


@app.periodic(cron="* * * * *")
@app.task(name="saldo.retry_stalled", queueing_lock="retry_stalled", pass_context=True)
async def retry_stalled(context: object, timestamp: int) -> None:
    """Give the jobs of workers that died to those that live."""
    await give_back_stalled(context.app.job_manager)  # type: ignore[attr-defined]


async def give_back_stalled(manager: JobManager, seconds_since_heartbeat: float = 30) -> None:
    """Queue the jobs again whose workers have not been heard of for so long."""
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=seconds_since_heartbeat):
        try:
            await manager.retry_job(job)
        except ConnectorException:
            # The same work waits already under its queueing lock: this one would be one too many.
            await manager.finish_job(job, Status.ABORTED, delete_job=True)
