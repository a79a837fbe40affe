"""Customers and our relation with each: accounts, contacts, who sees which account."""

from __future__ import annotations

from django.db import models

from saldo.identity.models import Company, User
from saldo.intake.models import Document


class Customer(models.Model):
    """A legal entity that owes or may owe us. search_text is case-folded and unaccented."""

    name = models.CharField(max_length=200)
    search_text = models.CharField(max_length=200)
    sort_name = models.CharField(max_length=200)
    vat_number = models.CharField(max_length=20, blank=True, default="")
    tax_code = models.CharField(max_length=20, blank=True, default="")
    country = models.CharField(max_length=2, blank=True, default="")
    address = models.CharField(max_length=200, blank=True, default="")
    zip_code = models.CharField(max_length=12, blank=True, default="")
    city = models.CharField(max_length=80, blank=True, default="")
    province = models.CharField(max_length=4, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["search_text"], name="customer_search", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["vat_number"], name="customer_vat", condition=~models.Q(vat_number="")),
        ]

    def __str__(self) -> str:
        return self.name


class CustomerName(models.Model):
    """Another spelling of the customer's name, as a source wrote it."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="names")
    name = models.CharField(max_length=200)
    search_text = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["customer", "name"], name="customer_name_once")]
        indexes = [
            models.Index(
                fields=["search_text"], name="customer_name_search", opclasses=["varchar_pattern_ops"]
            )
        ]


class CustomerAccount(models.Model):
    """The relation of one company with one customer ("posizione"). code is the number in the ERP."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="accounts")
    code = models.CharField(max_length=60)
    segment = models.CharField(max_length=40, blank=True, default="")
    terms_text = models.CharField(max_length=120, blank=True, default="")
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "code"], name="account_code_once"),
            # The target of the ledger's composite foreign keys: an item's account is of the item's company.
            models.UniqueConstraint(fields=["company", "id"], name="account_company_pair"),
        ]


class Contact(models.Model):
    """A person or an office to write to or call."""

    account = models.ForeignKey(CustomerAccount, on_delete=models.CASCADE, related_name="contacts")
    name = models.CharField(max_length=120, blank=True, default="")
    role = models.CharField(max_length=60, blank=True, default="")
    email = models.CharField(max_length=200, blank=True, default="")
    pec = models.CharField(max_length=200, blank=True, default="")
    phone = models.CharField(max_length=60, blank=True, default="")
    language = models.CharField(max_length=2, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name", "email", "phone"], name="contact_once")
        ]


class AddressStop(models.Model):
    """Nothing is sent to this address any more, whoever's contact it is. Append-only.

    address: folded to lower case (a telephone number: digits with its plus). company null: for every company.
    document: the message that said so (a bounce, an opt-out).
    """

    class Reason(models.TextChoices):
        BOUNCED = "bounced"
        COMPLAINT = "complaint"
        OPT_OUT = "opt_out"
        WRONG_CONTACT = "wrong_contact"
        INVALID = "invalid"
        PERSON = "person"

    company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True)
    channel = models.CharField(max_length=8)
    address = models.CharField(max_length=200)
    reason = models.CharField(max_length=16, choices=Reason.choices)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["address", "channel"], name="address_stop")]


class AddressRelease(models.Model):
    """A person says that the address may be written to again."""

    stop = models.OneToOneField(AddressStop, on_delete=models.PROTECT, related_name="release")
    note = models.TextField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class Consent(models.Model):
    """A contact agreed (or no longer agrees) to a channel that needs it: SMS, or links that tell of a click.

    The last row counts. Append-only.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="consents")
    channel = models.CharField(max_length=8)
    is_given = models.BooleanField()
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class ContactChange(models.Model):
    """A person added or changed a contact. Only ever added to, until the contact itself is erased.

    name, email, phone: how the contact was spelled before (of an added one: as it was added), by which the
    next list from the ERP still knows it. fields: those that the person set, which no list overwrites.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="changes")
    name = models.CharField(max_length=120, blank=True, default="")
    email = models.CharField(max_length=200, blank=True, default="")
    phone = models.CharField(max_length=60, blank=True, default="")
    fields = models.JSONField(default=list)
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class Preference(models.Model):
    """What the customer asked for, so that it need not ask twice (core.preferences). Append-only.

    contact_id null: of the whole account (no key: a contact can be erased). value: what the kind takes
    (hours, words), "" where it takes nothing.
    document: the message in which it was asked for.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="preferences")
    contact_id = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=16)
    value = models.CharField(max_length=300, blank=True, default="")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["account", "kind"], name="preference_account")]


class PreferenceEnd(models.Model):
    """It no longer holds: taken back, or another one of its kind took its place."""

    preference = models.OneToOneField(Preference, on_delete=models.PROTECT, related_name="end")
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class AccountAccess(models.Model):
    """A user sees this account between two days, although no grant shows the whole company to them."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    account = models.ForeignKey(CustomerAccount, on_delete=models.CASCADE)
    from_date = models.DateField()
    to_date = models.DateField(null=True)

    class Meta:
        indexes = [models.Index(fields=["user", "account"], name="account_access_user")]
