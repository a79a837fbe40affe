"""What we expect of each item and each customer, as computed by a stated model on a stated day."""

from __future__ import annotations

from django.db import models

from saldo.identity.models import DayRun, ModelVersion
from saldo.intake.models import Document
from saldo.parties.models import Customer


class PaymentForecast(models.Model):
    """The distribution of an open item's payment date, in a few numbers.

    rung: whose history carries it. reasons: the strongest reasons with their size, kept for the items of the
    worklist; those of any other item are computed anew from the model version when somebody asks.
    """

    day_run = models.ForeignKey(DayRun, on_delete=models.CASCADE)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, db_index=False)
    item_id = models.BigIntegerField()
    account_id = models.BigIntegerField()
    p7 = models.FloatField()
    p30 = models.FloatField()
    p60 = models.FloatField()
    p90 = models.FloatField()
    p_over_90 = models.FloatField(null=True)
    expected_date = models.DateField(null=True)
    low_date = models.DateField(null=True)
    high_date = models.DateField(null=True)
    rung = models.CharField(max_length=12)
    reasons = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["day_run", "account_id"], name="forecast_account")]


class FinancialStatement(models.Model):
    """A year's figures of a customer, as filed or told. figures: amounts as text by name, in ``currency``."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT)
    year_end_date = models.DateField()
    currency = models.CharField(max_length=3)
    figures = models.JSONField()
    document = models.ForeignKey(Document, on_delete=models.PROTECT, null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["customer", "year_end_date"], name="statement_customer")]


class Rating(models.Model):
    """What an agency says of a customer. value: as the agency writes it; pd: its probability of default."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT)
    agency = models.CharField(max_length=40)
    value = models.CharField(max_length=20)
    pd = models.FloatField(null=True)
    rating_date = models.DateField()
    valid_until = models.DateField(null=True)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["customer", "rating_date"], name="rating_customer")]


class RiskScore(models.Model):
    """How likely a customer is to default within a year, as seen on the day of a run.

    score: 0 (worst) to 100. pd: probability of default within twelve months. parts: the scores that it was
    made of with their weights; reasons: code, params and points of each, strongest first; missing: names of
    what would have told more.
    """

    day_run = models.ForeignKey(DayRun, on_delete=models.CASCADE)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, db_index=False)
    account_id = models.BigIntegerField()
    score = models.PositiveSmallIntegerField()
    pd = models.FloatField()
    risk_class = models.CharField(max_length=1)
    parts = models.JSONField(default=dict)
    reasons = models.JSONField(default=list)
    missing = models.JSONField(default=list)
    valid_until = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day_run", "account_id"], name="risk_score_once")]


class EarlyWarning(models.Model):
    """A change in how a customer behaves that is too large to be chance, as seen on the day of a run.

    since_date: the day from which the change is seen; size: how far the statistic is over its threshold.
    """

    day_run = models.ForeignKey(DayRun, on_delete=models.CASCADE)
    account_id = models.BigIntegerField()
    code = models.CharField(max_length=30)
    since_date = models.DateField()
    size = models.FloatField()
    reasons = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day_run", "account_id", "code"], name="warning_once")]
