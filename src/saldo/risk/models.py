"""What we expect of each item: when it will be paid, as computed by a stated model on a stated day."""

from __future__ import annotations

from django.db import models

from saldo.identity.models import DayRun


class PaymentForecast(models.Model):
    """The distribution of an open item's payment date, in five numbers and its rung."""

    day_run = models.ForeignKey(DayRun, on_delete=models.CASCADE)
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

    class Meta:
        indexes = [models.Index(fields=["day_run", "account_id"], name="forecast_account")]
