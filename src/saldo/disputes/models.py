"""What customers object to: so far the deductions, short payments that imply an objection."""

from __future__ import annotations

from django.db import models

from saldo.parties.models import CustomerAccount


class Deduction(models.Model):
    """A part of an item that the customer did not pay, kept apart to be cleared up. Append-only.

    The amount stays open on the item: a deduction says why, it does not say that we give in. transaction_id:
    the bank line that came short (cash is downstream, so it is named by its id).
    """

    class Reason(models.TextChoices):
        PRICE = "price"
        QUALITY = "quality"
        QUANTITY = "quantity"
        DISCOUNT = "discount"
        CHARGES = "charges"
        RETURN = "return"
        TAX = "tax"
        UNKNOWN = "unknown"

    company_id = models.IntegerField()
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT)
    item_id = models.BigIntegerField()
    transaction_id = models.BigIntegerField(null=True)
    amount = models.DecimalField(max_digits=18, decimal_places=3)
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=12, choices=Reason.choices, default=Reason.UNKNOWN)
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="deduction_amount_positive")
        ]
        indexes = [models.Index(fields=["item_id"], name="deduction_item")]


class DeductionEnd(models.Model):
    """How a deduction ended: paid after all, given in (credit note or write-off), or opened by mistake."""

    class Outcome(models.TextChoices):
        PAID = "paid"
        CREDITED = "credited"
        WRITTEN_OFF = "written_off"
        WITHDRAWN = "withdrawn"

    deduction = models.OneToOneField(Deduction, on_delete=models.PROTECT, related_name="end")
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()
