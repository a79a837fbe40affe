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
    """A schedule for the payment of items ("piano di rientro"). Its installments add up to its items.

    Its own rule (core.plans.PlanRule): an installment is missed once tolerance_days are over; the plan falls
    with missed_limit installments missed at once, or late_percent of its amount (0: that does not count).
    offer: what the customer accepted by a signed link, if it came to be so.
    """

    company_id = models.IntegerField()
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="plans")
    currency = models.CharField(max_length=3)
    tolerance_days = models.PositiveSmallIntegerField(default=5, db_default=5)
    missed_limit = models.PositiveSmallIntegerField(default=2, db_default=2)
    late_percent = models.PositiveSmallIntegerField(default=0, db_default=0)
    offer = models.OneToOneField("Offer", on_delete=models.PROTECT, null=True, related_name="plan")
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


class PlanMilestone(models.Model):
    """Something other than money that the customer owes by a day: a guarantee, a document."""

    plan = models.ForeignKey(PaymentPlan, on_delete=models.PROTECT, related_name="milestones")
    number = models.PositiveSmallIntegerField()
    due_date = models.DateField()
    text = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "number"], name="plan_milestone_once")]


class MilestoneMet(models.Model):
    milestone = models.OneToOneField(PlanMilestone, on_delete=models.PROTECT, related_name="met")
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class Offer(models.Model):
    """What is offered to a customer, to be accepted by a signed link until expires_date.

    kind: a plan (data: installments, items, rule, milestones) or a discount for paying early (data: items,
    rate, pay_by, usual_date). needs_approval: nobody can accept it before a second person approved it. token:
    stands in the link, signed.
    """

    class Kind(models.TextChoices):
        PLAN = "plan"
        DISCOUNT = "discount"

    company_id = models.IntegerField()
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="offers")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    currency = models.CharField(max_length=3)
    amount = _amount()
    data = models.JSONField()
    language = models.CharField(max_length=2)
    token = models.CharField(max_length=24, unique=True)
    expires_date = models.DateField()
    needs_approval = models.BooleanField()
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(amount__gt=0), name="offer_amount_positive")]
        indexes = [models.Index(fields=["company_id", "expires_date"], name="offer_company")]


class OfferStep(models.Model):
    """What became of an offer: approved by a second person, then at most one end.

    evidence: of an acceptance (name as typed, role, address and program of the browser, instant, hash of the
    text that was shown). document: that text.
    """

    class Kind(models.TextChoices):
        APPROVED = "approved"
        REFUSED = "refused"
        ACCEPTED = "accepted"
        DECLINED = "declined"
        WITHDRAWN = "withdrawn"

    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="steps")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    note = models.TextField(blank=True, default="")
    evidence = models.JSONField(default=dict)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["offer"], condition=~models.Q(kind="approved"), name="offer_ends_once"
            ),
            models.UniqueConstraint(
                fields=["offer"], condition=models.Q(kind="approved"), name="offer_approved_once"
            ),
        ]


class DiscountCredit(models.Model):
    """The discount of an accepted offer, credited on an item since its cash came in time."""

    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="credits")
    item_id = models.BigIntegerField()
    credit_item_id = models.BigIntegerField()
    amount = _amount()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["offer", "item_id"], name="discount_credit_once")]


class Guarantee(models.Model):
    """What secures what an account owes, or one plan of it. expiry_date: its last day, if it has one."""

    class Kind(models.TextChoices):
        SURETY = "surety"
        BANK_GUARANTEE = "bank_guarantee"
        BILL = "bill"
        CHEQUE = "cheque"
        DEPOSIT = "deposit"
        PLEDGE = "pledge"
        MORTGAGE = "mortgage"
        RETENTION_OF_TITLE = "retention_of_title"
        OTHER = "other"

    company_id = models.IntegerField()
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="guarantees")
    plan = models.ForeignKey(PaymentPlan, on_delete=models.PROTECT, null=True, related_name="guarantees")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    currency = models.CharField(max_length=3)
    amount = _amount()
    giver = models.CharField(max_length=200, blank=True, default="")
    expiry_date = models.DateField(null=True)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="guarantee_amount_positive")
        ]


class GuaranteeEnd(models.Model):
    class Outcome(models.TextChoices):
        RELEASED = "released"
        ENFORCED = "enforced"
        REPLACED = "replaced"
        MISTAKE = "mistake"

    guarantee = models.OneToOneField(Guarantee, on_delete=models.PROTECT, related_name="end")
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class PlanPolicy(models.Model):
    """A company's rules for plans and discounts (core.plans.PlanRules) as somebody set them; the last row
    counts."""

    company_id = models.IntegerField()
    data = models.JSONField()
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["company_id", "recorded_at"], name="plan_policy_company")]
