"""Documents, items and allocations: the two clocks, append-only.

The rules that hold under concurrency are triggers and constraints in migrations/0002_ledger_rules.py.
The hot tables' references are checked there too, a statement at a time: they point to rows that can never be
deleted, so that a check at insertion is as good as a foreign key, which costs about 7 s per million rows.
"""

from __future__ import annotations

from django.db import models

from saldo.intake.models import Document
from saldo.parties.models import CustomerAccount


def _amount() -> models.DecimalField:
    return models.DecimalField(max_digits=18, decimal_places=3)


def _document() -> models.ForeignKey:
    return models.ForeignKey(
        Document, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, null=True
    )


class Invoice(models.Model):
    """A document as issued: invoice, credit note or debit note. Its money is in its items."""

    class Kind(models.TextChoices):
        INVOICE = "invoice"
        CREDIT_NOTE = "credit_note"
        DEBIT_NOTE = "debit_note"

    company_id = models.IntegerField()
    account = models.ForeignKey(
        CustomerAccount, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=12, choices=Kind.choices)
    number = models.CharField(max_length=60)
    number_norm = models.CharField(max_length=60)
    year = models.SmallIntegerField()
    document_date = models.DateField()
    currency = models.CharField(max_length=3)
    terms_text = models.CharField(max_length=120, blank=True, default="")
    order_ref = models.CharField(max_length=60, blank=True, default="")
    source_id = models.IntegerField()
    document = _document()
    row = models.IntegerField()
    recorded_at = models.DateTimeField()
    source_at = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "kind", "number_norm", "year"], name="invoice_once")
        ]


class InvoiceSighting(models.Model):
    """The same business document as another source told it."""

    invoice = models.ForeignKey(Invoice, on_delete=models.DO_NOTHING, related_name="sightings")
    source_id = models.IntegerField()
    document = _document()
    row = models.IntegerField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["invoice", "source_id"], name="invoice_sighting_once")]


class Payment(models.Model):
    """Money received, as a document of its own (a bank line, or an ERP's payment on account)."""

    company_id = models.IntegerField()
    account = models.ForeignKey(
        CustomerAccount, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    number = models.CharField(max_length=60)
    number_norm = models.CharField(max_length=60)
    year = models.SmallIntegerField()
    booking_date = models.DateField()
    value_date = models.DateField(null=True)
    currency = models.CharField(max_length=3)
    text = models.CharField(max_length=200, blank=True, default="")
    source_id = models.IntegerField()
    document = _document()
    row = models.IntegerField()
    recorded_at = models.DateTimeField()
    source_at = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "number_norm", "year"], name="payment_once")
        ]


class PaymentSighting(models.Model):
    """The same money as another source tells it: an ERP's own line for cash that a bank line had told."""

    payment = models.ForeignKey(Payment, on_delete=models.DO_NOTHING, related_name="sightings")
    account_id = models.BigIntegerField()
    source_id = models.IntegerField()
    number = models.CharField(max_length=60)
    number_norm = models.CharField(max_length=60)
    year = models.SmallIntegerField()
    document = _document()
    row = models.IntegerField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "number_norm", "year", "source_id"], name="payment_sighting_line_once"
            ),
            models.UniqueConstraint(fields=["payment", "source_id"], name="payment_sighting_once"),
        ]


class Item(models.Model):
    """A debit (positive: they owe us) or a credit (negative) on an account.

    due_date is the first ItemTerms: the day agreed when the item came to be. Later agreements are rows of
    ItemTerms. due_origin says where the day comes from: stated, terms (derived from the payment terms) or
    document (neither was given: the document's own day).
    """

    class Kind(models.TextChoices):
        INSTALLMENT = "installment"
        CREDIT_NOTE = "credit_note"
        PAYMENT = "payment"
        PROVISIONAL_PAYMENT = "provisional_payment"
        CLOSURE = "closure"
        ADJUSTMENT = "adjustment"
        REOPENING = "reopening"
        SPLIT_VAT = "split_vat"
        WITHHOLDING = "withholding"
        WRITE_OFF = "write_off"
        DISCOUNT = "discount"
        FEE = "fee"
        INTEREST = "interest"

    company_id = models.IntegerField()
    account = models.ForeignKey(CustomerAccount, on_delete=models.DO_NOTHING, db_constraint=False)
    invoice = models.ForeignKey(
        Invoice, on_delete=models.DO_NOTHING, null=True, db_constraint=False, db_index=False
    )
    payment = models.ForeignKey(
        Payment, on_delete=models.DO_NOTHING, null=True, db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    installment_no = models.PositiveSmallIntegerField(default=1)
    amount = _amount()
    currency = models.CharField(max_length=3)
    effective_date = models.DateField()
    due_date = models.DateField(null=True)
    due_origin = models.CharField(max_length=8, default="stated")
    payment_method = models.CharField(max_length=10, blank=True, default="")
    document = _document()
    row = models.IntegerField(default=0)
    recorded_at = models.DateTimeField()
    source_at = models.DateField(null=True)
    details = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(amount=0), name="item_amount_not_zero"),
            models.CheckConstraint(
                condition=models.Q(amount__lt=0) | models.Q(due_date__isnull=False), name="debit_has_due_date"
            ),
            models.UniqueConstraint(
                fields=["invoice", "installment_no"],
                name="installment_once",
                condition=models.Q(kind__in=["installment", "credit_note"]),
            ),
        ]


class ItemTerms(models.Model):
    """A due date as agreed later: in force from effective_date on."""

    item = models.ForeignKey(Item, on_delete=models.DO_NOTHING, related_name="terms")
    due_date = models.DateField()
    effective_date = models.DateField()
    reason = models.CharField(max_length=30)
    document = _document()
    row = models.IntegerField(default=0)
    recorded_at = models.DateTimeField()
    source_at = models.DateField(null=True)


class Allocation(models.Model):
    """An amount of a credit item set against a debit item; a negative amount reverses an earlier one.

    amount is in the debit's currency. Where the credit is in another currency, credit_amount and rate say
    what it took from the credit.
    """

    company_id = models.IntegerField()
    debit_item = models.ForeignKey(Item, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    credit_item = models.ForeignKey(Item, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    amount = _amount()
    credit_amount = models.DecimalField(max_digits=18, decimal_places=3, null=True)
    rate = models.DecimalField(max_digits=18, decimal_places=9, null=True)
    effective_date = models.DateField()
    reason = models.CharField(max_length=30)
    reverses_id = models.BigIntegerField(null=True)
    document = _document()
    recorded_at = models.DateTimeField()
    source_at = models.DateField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(amount=0), name="allocation_amount_not_zero")
        ]


class ItemOpenProjection(models.Model):
    """How much of each item is used, whatever the day: what the constraints lock and check.

    The first and last days of its allocations let queries skip what was settled by the day they ask about and
    what nothing was set against yet; the item's own columns stand beside them, so that a day's open items
    are found in this table alone.
    Written by triggers only; ``operations.rebuild_projection`` makes it anew.
    """

    item = models.OneToOneField(
        Item, on_delete=models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="+"
    )
    # What a day's question looks at stands first, and of fixed length: the table is read from end to end.
    company_id = models.IntegerField()
    effective_date = models.DateField()
    last_effective_date = models.DateField(null=True)
    used_up = models.BooleanField(default=False)
    sign = models.SmallIntegerField()
    recorded_at = models.DateTimeField()
    last_recorded_at = models.DateTimeField(null=True)
    first_effective_date = models.DateField(null=True)
    due_date = models.DateField(null=True)
    first_recorded_at = models.DateTimeField(null=True)
    account_id = models.BigIntegerField()
    has_reversal = models.BooleanField(default=False)
    cap = _amount()
    used = _amount()
    currency = models.CharField(max_length=3)
    kind = models.CharField(max_length=20)

    class Meta:
        db_table = "ledger_item_open_projection"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(used__gte=0) & models.Q(used__lte=models.F("cap")),
                name="item_used_within_cap",
            )
        ]
