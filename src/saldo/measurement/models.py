"""What was measured and what was forecast, kept to be checked later."""

from __future__ import annotations

from django.db import models

from saldo.identity.models import Company, DayRun
from saldo.parties.models import CustomerAccount


class Measure(models.Model):
    """The value of a KPI on a day, with the version of its definition. value is null where it has none."""

    day_run = models.ForeignKey(DayRun, on_delete=models.CASCADE)
    name = models.CharField(max_length=40)
    currency = models.CharField(max_length=3, blank=True, default="")
    value = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    reason = models.CharField(max_length=60, blank=True, default="")
    definition = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day_run", "name", "currency"], name="measure_once")]


class CashForecast(models.Model):
    """Cash expected in one week, with its band (P10 and P90) and its middle (P50).

    kind: "open" from items that were open, "future" from sales not yet invoiced, "total" of both; "naive" is
    the simple forecast that it is judged beside. cumulative: the same of all weeks up to this one.
    """

    day_run = models.ForeignKey(DayRun, on_delete=models.CASCADE)
    kind = models.CharField(max_length=8, default="open")
    week_start = models.DateField()
    currency = models.CharField(max_length=3)
    expected = models.DecimalField(max_digits=18, decimal_places=3)
    low = models.DecimalField(max_digits=18, decimal_places=3)
    middle = models.DecimalField(max_digits=18, decimal_places=3, null=True)
    high = models.DecimalField(max_digits=18, decimal_places=3)
    cumulative = models.DecimalField(max_digits=18, decimal_places=3, null=True)
    cumulative_low = models.DecimalField(max_digits=18, decimal_places=3, null=True)
    cumulative_middle = models.DecimalField(max_digits=18, decimal_places=3, null=True)
    cumulative_high = models.DecimalField(max_digits=18, decimal_places=3, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day_run", "kind", "week_start", "currency"], name="cash_week_once"
            )
        ]


class Survey(models.Model):
    """Two questions put to a customer after something was closed. Append-only.

    subject_kind, subject_id: what was closed, a dispute or a plan, which is asked about once. key: of the
    message that asks (outreach.Message.key). token: in its link. until_date: the last day for answers.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="surveys")
    subject_kind = models.CharField(max_length=8)
    subject_id = models.BigIntegerField()
    closed_date = models.DateField()
    key = models.CharField(max_length=120, unique=True)
    token = models.CharField(max_length=24, unique=True)
    to_address = models.CharField(max_length=300)
    language = models.CharField(max_length=2)
    as_of = models.DateField()
    until_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject_kind", "subject_id"], name="survey_once")]
        indexes = [
            models.Index(fields=["account", "as_of"], name="survey_account"),
            models.Index(fields=["to_address", "as_of"], name="survey_address"),
        ]


class SurveyAnswer(models.Model):
    """What was answered; of several answers to one survey the last counts. Append-only.

    csat: how content, 1 to 5. nps: how likely to recommend us, 0 to 10.
    """

    survey = models.ForeignKey(Survey, on_delete=models.PROTECT, related_name="answers")
    csat = models.PositiveSmallIntegerField()
    nps = models.PositiveSmallIntegerField()
    comment = models.TextField(blank=True, default="")
    as_of = models.DateField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(csat__gte=1, csat__lte=5), name="survey_csat"),
            models.CheckConstraint(condition=models.Q(nps__gte=0, nps__lte=10), name="survey_nps"),
        ]
