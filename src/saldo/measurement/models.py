"""What was measured and what was forecast, kept to be checked later."""

from __future__ import annotations

from django.db import models

from saldo.identity.models import DayRun


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
