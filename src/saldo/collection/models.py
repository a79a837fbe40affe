"""What to do: actions of a day with their reasons, and what became of each."""

from __future__ import annotations

from django.db import models

from saldo.identity.models import DayRun
from saldo.parties.models import CustomerAccount


class Action(models.Model):
    """A decided deed for one account in one run of the day, with its rank and reasons."""

    day_run = models.ForeignKey(DayRun, on_delete=models.CASCADE)
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT)
    rank = models.PositiveIntegerField()
    block = models.CharField(max_length=8)
    kind = models.CharField(max_length=12)
    minutes = models.FloatField()
    currency = models.CharField(max_length=3)
    value = models.DecimalField(max_digits=18, decimal_places=3)
    value_per_minute = models.DecimalField(max_digits=18, decimal_places=3)
    overdue = models.DecimalField(max_digits=18, decimal_places=3)
    open = models.DecimalField(max_digits=18, decimal_places=3)
    oldest_days = models.IntegerField()
    p30 = models.FloatField()
    rung = models.CharField(max_length=12)
    reasons = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day_run", "account", "currency"], name="action_once")]
        indexes = [models.Index(fields=["day_run", "rank"], name="action_rank")]


class Outcome(models.Model):
    """What a person did with an action: done, skipped or undone, with a note. Append-only."""

    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT)
    as_of = models.DateField()
    state = models.CharField(max_length=8)
    note = models.TextField(blank=True, default="")
    follow_up_date = models.DateField(null=True)
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["account", "recorded_at"], name="outcome_account")]
