"""What customers promise: an amount by a day, or a plan of several. Every table here is append-only.

Whether a promise is open, kept or broken is derived from cash; an end says that people or a rule closed it.
"""

from __future__ import annotations

from django.db import models

from saldo.intake.models import Document
from saldo.parties.models import CustomerAccount


def _amount() -> models.DecimalField:
    return models.DecimalField(max_digits=18, decimal_places=3)


class Promise(models.Model):
    """An amount that the customer says will be paid by promised_date; effective_date: the day it was said.

    document: the message in which it was said, if it was written. level: 1, or one more than the broken
    promise that it follows.
    """

    company_id = models.IntegerField()
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="promises")
    currency = models.CharField(max_length=3)
    amount = _amount()
    promised_date = models.DateField()
    level = models.PositiveSmallIntegerField(default=1)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="promise_amount_positive")
        ]


class PromiseItem(models.Model):
    """The part of a promise that is about one item. balance_before: what was open when it was given, so that
    what was paid since is known from the balance alone."""

    promise = models.ForeignKey(Promise, on_delete=models.PROTECT, related_name="items")
    item_id = models.BigIntegerField()
    amount = _amount()
    balance_before = _amount()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["promise", "item_id"], name="promise_item_once")]
        indexes = [models.Index(fields=["item_id"], name="promise_item")]


class PromiseEnd(models.Model):
    """A promise was taken back, replaced by another, or found to be recorded by mistake."""

    class Outcome(models.TextChoices):
        WITHDRAWN = "withdrawn"
        REPLACED = "replaced"
        MISTAKE = "mistake"

    promise = models.OneToOneField(Promise, on_delete=models.PROTECT, related_name="end")
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class PaymentPlan(models.Model):
    """A schedule for the payment of items ("piano di rientro"). Its installments add up to its items."""

    company_id = models.IntegerField()
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="plans")
    currency = models.CharField(max_length=3)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class PlanItem(models.Model):
    plan = models.ForeignKey(PaymentPlan, on_delete=models.PROTECT, related_name="items")
    item_id = models.BigIntegerField()
    amount = _amount()
    balance_before = _amount()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "item_id"], name="plan_item_once")]
        indexes = [models.Index(fields=["item_id"], name="plan_item")]


class PlanInstallment(models.Model):
    plan = models.ForeignKey(PaymentPlan, on_delete=models.PROTECT, related_name="installments")
    number = models.PositiveSmallIntegerField()
    due_date = models.DateField()
    amount = _amount()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "number"], name="plan_installment_once")]


class PlanEnd(models.Model):
    """A plan ended: completed, fallen (its own rule was not kept), or withdrawn."""

    class Outcome(models.TextChoices):
        COMPLETED = "completed"
        FALLEN = "fallen"
        WITHDRAWN = "withdrawn"

    plan = models.OneToOneField(PaymentPlan, on_delete=models.PROTECT, related_name="end")
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()
