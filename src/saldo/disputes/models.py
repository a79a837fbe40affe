"""What customers object to: disputes, and deductions: short payments that imply an objection."""

from __future__ import annotations

from django.db import models

from saldo.identity.models import Company
from saldo.intake.models import Document
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


class Dispute(models.Model):
    """A reasoned objection to items, or to part of their amounts. Append-only: what comes later is an entry.

    claimed_amount: what the customer says is wrong, where it says so; the amounts that leave dunning are
    those of its items. owner, due_date: who is to answer by when, as of the opening.
    """

    class Reason(models.TextChoices):
        PRICE = "price"
        QUALITY = "quality"
        QUANTITY = "quantity"
        DELIVERY = "delivery"
        MISSING_DOCUMENT = "missing_document"
        ORDER = "order"
        DUPLICATE = "duplicate"
        RETURN = "return"
        OTHER = "other"

    company_id = models.IntegerField()
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="disputes")
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=20, choices=Reason.choices, default=Reason.OTHER)
    claimed_amount = models.DecimalField(max_digits=18, decimal_places=3, null=True)
    owner = models.CharField(max_length=150, blank=True, default="")
    due_date = models.DateField(null=True)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class DisputeItem(models.Model):
    """The disputed amount of one item: it leaves dunning, the rest of the item does not."""

    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="items")
    item_id = models.BigIntegerField()
    amount = models.DecimalField(max_digits=18, decimal_places=3)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dispute", "item_id"], name="dispute_item_once"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="dispute_item_positive"),
        ]
        indexes = [models.Index(fields=["item_id"], name="dispute_item")]


class DisputeEntry(models.Model):
    """A line of a dispute's timeline after its opening. Append-only.

    kind: note (document: what was attached), owner (to "": nobody), due (due_date: by when an answer, or an
    agreed credit note, is owed), claimed (amount: what the customer says now), answer (of the owner; outcome:
    justified or unjustified; amount: how much of it, where that is stated), agreed (amount: what we will
    credit or write off, as outcome says), resolution and reopening (their amounts: DisputeSettlement).
    """

    class Kind(models.TextChoices):
        NOTE = "note"
        OWNER = "owner"
        DUE = "due"
        CLAIMED = "claimed"
        ANSWER = "answer"
        AGREED = "agreed"
        RESOLUTION = "resolution"
        REOPENING = "reopening"

    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    outcome = models.CharField(max_length=12, blank=True, default="")
    amount = models.DecimalField(max_digits=18, decimal_places=3, null=True)
    owner = models.CharField(max_length=150, blank=True, default="")
    due_date = models.DateField(null=True)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["recorded_at"], name="dispute_entry_recorded")]


class DisputeSettlement(models.Model):
    """What a person's decision takes off the disputed amount of an item, or puts back (negative).

    What the ledger itself tells (a credit note on the item) is no row here: it is worked out.
    """

    entry = models.ForeignKey(DisputeEntry, on_delete=models.PROTECT, related_name="settlements")
    item_id = models.BigIntegerField()
    amount = models.DecimalField(max_digits=18, decimal_places=3)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["entry", "item_id"], name="dispute_settlement_once"),
            models.CheckConstraint(condition=~models.Q(amount=0), name="dispute_settlement_not_zero"),
        ]


class DisputeSettings(models.Model):
    """A company's rules about disputes (core.disputes.DisputePolicy), from recorded_at on. Append-only."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    data = models.JSONField(default=dict)
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["company", "recorded_at"], name="dispute_settings_newest")]
