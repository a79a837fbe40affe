"""Deferring jobs by their task's name, inside the caller's transaction: no transaction, no job."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

IMPORT_TASK = "saldo.import_batch"
CONFIRM_TASK = "saldo.confirm_closures"
DAY_TASK = "saldo.run_day"
APPLY_TASK = "saldo.apply_cash"
TRAIN_TASK = "saldo.train_models"


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
