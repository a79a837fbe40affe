"""Deferring jobs by their task's name, inside the caller's transaction: no transaction, no job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from django.db import connection, transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

IMPORT_TASK = "saldo.import_batch"
CONFIRM_TASK = "saldo.confirm_closures"
DAY_TASK = "saldo.run_day"
APPLY_TASK = "saldo.apply_cash"
TRAIN_TASK = "saldo.train_models"
READ_MAIL_TASK = "saldo.read_mail"
OPINION_TASK = "saldo.second_opinion"
SEND_TASK = "saldo.send_message"
# Thousands of messages wait behind an import or a day, not before it.
SEND_PRIORITY = -1
# Messages whose jobs are written by one statement.
DEFERRED_AT_ONCE = 1000


def defer_import(batch_id: int, language: str = "it") -> None:
    """Read a queued batch. Batches are read one after the other, in the order they came."""
    app.configure_task(IMPORT_TASK, lock="import").defer(batch_id=batch_id, language=language)


def defer_confirmation(batch_id: int, actor: str, language: str = "it") -> None:
    """Close what vanished from a complete export, as a person confirmed."""
    app.configure_task(CONFIRM_TASK, lock="import").defer(batch_id=batch_id, actor=actor, language=language)


def defer_day(company_id: int, as_of: date, refresh: bool = True) -> bool:
    """Run the day of a company; False where the same run is waiting already."""
    key = f"day:{company_id}:{as_of.isoformat()}"
    task = app.configure_task(DAY_TASK, queueing_lock=key, lock=f"day:{company_id}")
    try:
        # Of its own, so that a refusal leaves the caller's transaction usable.
        with transaction.atomic():
            task.defer(company_id=company_id, as_of=as_of.isoformat(), refresh=refresh)
    except AlreadyEnqueued:
        return False
    return True


def defer_apply_cash(company_id: int) -> bool:
    """Apply the company's open bank lines; False where that is waiting already."""
    key = f"cash:{company_id}"
    try:
        with transaction.atomic():
            app.configure_task(APPLY_TASK, queueing_lock=key, lock=key).defer(company_id=company_id)
    except AlreadyEnqueued:
        return False
    return True


def defer_training(company_id: int, actor: str = "system:worker", language: str = "it") -> bool:
    """Train the company's models anew; False where that is waiting already."""
    key = f"train:{company_id}"
    task = app.configure_task(TRAIN_TASK, queueing_lock=key, lock=key)
    try:
        with transaction.atomic():
            task.defer(company_id=company_id, actor=actor, language=language)
    except AlreadyEnqueued:
        return False
    return True


def defer_read_mail(mailbox: str) -> bool:
    """Take in what is new in a mailbox; False where that is waiting already."""
    key = f"mail:{mailbox}"
    try:
        with transaction.atomic():
            app.configure_task(READ_MAIL_TASK, queueing_lock=key, lock=key).defer(mailbox=mailbox)
    except AlreadyEnqueued:
        return False
    return True


def defer_second_opinion(reply_id: int) -> None:
    """Ask the configured endpoint what a reply says, after the caller's transaction."""
    app.configure_task(OPINION_TASK).defer(reply_id=reply_id)


def _send_key(message_id: int) -> str:
    return f"send:{message_id}"


def defer_send(message_id: int, not_before: datetime | None = None) -> bool:
    """Send a message, not before an instant; False where that is waiting already.

    No two workers send one message at once because the sender itself takes a lock for it (storage.locks).
    """
    key = _send_key(message_id)
    task = app.configure_task(SEND_TASK, queueing_lock=key, schedule_at=not_before, priority=SEND_PRIORITY)
    try:
        with transaction.atomic():
            task.defer(message_id=message_id)
    except AlreadyEnqueued:
        return False
    return True


def defer_sends(message_ids: Sequence[int], not_before: datetime | None = None) -> None:
    """Send new messages, as ``defer_send`` does, many by one statement. None of them may have a job yet."""
    for start in range(0, len(message_ids), DEFERRED_AT_ONCE):
        chunk = message_ids[start : start + DEFERRED_AT_ONCE]
        deferrers = [
            app.configure_task(
                SEND_TASK, queueing_lock=_send_key(each), schedule_at=not_before, priority=SEND_PRIORITY
            )
            for each in chunk
        ]
        jobs = [
            deferrer.make_new_job(message_id=each) for deferrer, each in zip(deferrers, chunk, strict=True)
        ]
        app.job_manager.batch_defer_jobs(jobs)


def messages_with_job() -> set[int]:
    """Messages that a job is waiting for, or at."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT (args->>'message_id')::bigint FROM procrastinate_jobs"
            " WHERE task_name = %s AND status IN ('todo', 'doing')",
            [SEND_TASK],
        )
        return {row[0] for row in cursor.fetchall()}
