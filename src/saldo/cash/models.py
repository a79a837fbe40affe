"""Cash: what banks say, what payers advise, what was proposed, what was posted, what was presented.

Every table here is append-only: a correction is a new row (a Posting that undoes one, an AliasWithdrawal, a
CollectionResult). Amounts of bank lines are signed as on our account: positive came in.
"""

from __future__ import annotations

from django.db import models

from saldo.identity.models import Company, ModelVersion
from saldo.intake.models import Document, Source
from saldo.parties.models import CustomerAccount


def _amount(**more: object) -> models.DecimalField:
    return models.DecimalField(max_digits=18, decimal_places=3, **more)


def _document() -> models.ForeignKey:
    return models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")


class BankAccount(models.Model):
    """An account of ours. number: the account's own number as national formats write it, without spaces.

    sia: our code at the bank for RiBa; creditor_id: ours for direct debits. Details may change; what the
    bank said about the account refers to it by id.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    name = models.CharField(max_length=80)
    iban = models.CharField(max_length=34, blank=True, default="")
    bic = models.CharField(max_length=11, blank=True, default="")
    abi = models.CharField(max_length=5, blank=True, default="")
    cab = models.CharField(max_length=5, blank=True, default="")
    number = models.CharField(max_length=34, blank=True, default="")
    currency = models.CharField(max_length=3, default="EUR")
    sia = models.CharField(max_length=5, blank=True, default="")
    creditor_id = models.CharField(max_length=35, blank=True, default="")
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["iban"], name="bank_account_iban_once", condition=~models.Q(iban="")
            )
        ]


class Statement(models.Model):
    """One statement as the bank sent it. identity: what makes it the same statement if it comes again.

    kind: booked, intraday or notification. A quarantined one does not add up: its lines are kept and are not
    posted until a person releases it (StatementRelease).
    """

    bank_account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="statements")
    kind = models.CharField(max_length=12)
    identity = models.CharField(max_length=120)
    number = models.CharField(max_length=40, blank=True, default="")
    sequence = models.CharField(max_length=40, blank=True, default="")
    from_date = models.DateField(null=True)
    to_date = models.DateField(null=True)
    opening = _amount(null=True)
    opening_date = models.DateField(null=True)
    closing = _amount(null=True)
    closing_date = models.DateField(null=True)
    currency = models.CharField(max_length=3)
    is_quarantined = models.BooleanField(default=False)
    difference = _amount(null=True)
    lines = models.IntegerField()
    document = _document()
    position = models.IntegerField(default=1)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bank_account", "kind", "identity"], name="statement_once")
        ]


class StatementRelease(models.Model):
    """A person looked at a quarantined statement and lets its lines be posted."""

    statement = models.OneToOneField(Statement, on_delete=models.PROTECT, related_name="release")
    note = models.TextField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class BankTransaction(models.Model):
    """One line of a statement. key: the bank's own id where it gives one, else made of account, booking date,
    amount, normalized text and ordinal among equals of that day (flows.import_bank).

    kind: booked, intraday or notification, as its statement. Only booked lines are posted; the others are
    evidence of what is coming or of what a booked line is made of.
    """

    company_id = models.IntegerField()
    bank_account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="transactions")
    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="transactions")
    kind = models.CharField(max_length=12)
    key = models.CharField(max_length=120)
    ordinal = models.IntegerField()
    booking_date = models.DateField()
    value_date = models.DateField(null=True)
    amount = _amount()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=8, default="BOOK")
    code = models.CharField(max_length=60, blank=True, default="")
    is_reversal = models.BooleanField(default=False)
    bank_reference = models.CharField(max_length=140, blank=True, default="")
    customer_reference = models.CharField(max_length=140, blank=True, default="")
    end_to_end_id = models.CharField(max_length=140, blank=True, default="")
    mandate_id = models.CharField(max_length=70, blank=True, default="")
    creditor_reference = models.CharField(max_length=140, blank=True, default="")
    payer_name = models.CharField(max_length=200, blank=True, default="")
    payer_iban = models.CharField(max_length=34, blank=True, default="")
    payer_tax_code = models.CharField(max_length=40, blank=True, default="")
    ultimate_name = models.CharField(max_length=200, blank=True, default="")
    text = models.TextField(blank=True, default="")
    document_refs = models.JSONField(default=list)
    return_reason = models.CharField(max_length=10, blank=True, default="")
    charges = _amount(default=0)
    original_amount = _amount(null=True)
    original_currency = models.CharField(max_length=3, blank=True, default="")
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bank_account", "kind", "key"], name="bank_transaction_once")
        ]
        indexes = [models.Index(fields=["company_id", "kind", "booking_date"], name="bank_transaction_day")]


class Remittance(models.Model):
    """A payer's advice. lines: [{number, date, paid_mills, is_credit, ...}] as formats._remittance tells."""

    company_id = models.IntegerField()
    key = models.CharField(max_length=120)
    medium = models.CharField(max_length=10)
    payer_name = models.CharField(max_length=200, blank=True, default="")
    payer_vat = models.CharField(max_length=20, blank=True, default="")
    payer_tax_code = models.CharField(max_length=20, blank=True, default="")
    payer_iban = models.CharField(max_length=34, blank=True, default="")
    payment_date = models.DateField(null=True)
    received_date = models.DateField()
    total = _amount(null=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    end_to_end_id = models.CharField(max_length=140, blank=True, default="")
    reference = models.CharField(max_length=140, blank=True, default="")
    adds_up = models.BooleanField(null=True)
    lines = models.JSONField(default=list)
    document_refs = models.JSONField(default=list)
    document = _document()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company_id", "key"], name="remittance_once")]
        indexes = [models.Index(fields=["company_id", "received_date"], name="remittance_day")]


class MatchPolicy(models.Model):
    """How a company wants its cash applied, from its instant on: the newest counts. data: core Policy."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    data = models.JSONField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class MatchProposal(models.Model):
    """One way to apply a bank line, as a run proposed it. The newest run of a line counts; rank 1 is best.

    shares: [{"item": id, "mills": n}] (n < 0: an open credit that the payer took off); differences: what a
    share leaves that is explained, [{"kind", "item", "mills"}]; unapplied: what stays on account.
    pattern: the evidence class whose confirmed matches give the probability; reasons: [{code, params}].
    """

    transaction = models.ForeignKey(BankTransaction, on_delete=models.PROTECT, related_name="proposals")
    run = models.IntegerField()
    rank = models.SmallIntegerField()
    kind = models.CharField(max_length=16)
    zone = models.CharField(max_length=8)
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, null=True)
    shares = models.JSONField(default=list)
    differences = models.JSONField(default=list)
    unapplied = _amount(default=0)
    probability = models.FloatField()
    pattern = models.CharField(max_length=120)
    reasons = models.JSONField(default=list)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["transaction", "run", "rank"], name="match_proposal_once")
        ]


class Posting(models.Model):
    """What was done with a bank line. sequence makes two posters of one line collide: 1 posts, 2 undoes it,
    3 posts again …; the last one tells the state.

    kind: "match" (payment_id is its ledger Payment; shares and differences as posted), "slip" (credit of a
    whole batch of receipts), "return" (a receipt or payment that came back), "refund" (we gave money back),
    "not_customer" (fees, transfers between our accounts, …), "undo". mode: "auto", "confirmed" (the first
    proposal, by a person), "chosen" (another proposal), "manual", "erp" (made again as
    the ERP posted it).
    """

    transaction = models.ForeignKey(BankTransaction, on_delete=models.PROTECT, related_name="postings")
    sequence = models.SmallIntegerField()
    kind = models.CharField(max_length=14)
    mode = models.CharField(max_length=10)
    proposal = models.ForeignKey(MatchProposal, on_delete=models.PROTECT, null=True, related_name="+")
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, null=True)
    payment_id = models.BigIntegerField(null=True)
    shares = models.JSONField(default=list)
    differences = models.JSONField(default=list)
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["transaction", "sequence"], name="posting_sequence")]
        indexes = [models.Index(fields=["payment_id"], name="posting_payment")]


class Alias(models.Model):
    """A thing learnt about a payer: an IBAN, a name, a way to write references, or whom it pays for.

    account: the payer's; value: normalized ("name": search_text; "style": a style's code). kind "pays_for":
    value is the id of the account whose items it pays. origin: the posting that taught it, or a person.
    """

    class Kind(models.TextChoices):
        IBAN = "iban"
        NAME = "name"
        STYLE = "style"
        PAYS_FOR = "pays_for"

    company_id = models.IntegerField()
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    value = models.CharField(max_length=200)
    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, null=True, related_name="+")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["company_id", "kind", "value"], name="alias_value")]


class AliasWithdrawal(models.Model):
    """The alias is not believed any more, from its instant on."""

    alias = models.OneToOneField(Alias, on_delete=models.PROTECT, related_name="withdrawal")
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class Mandate(models.Model):
    """A customer's consent to direct debit. scheme: "CORE" or "B2B". ended_date is told by MandateEnd."""

    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT)
    mandate_id = models.CharField(max_length=35)
    scheme = models.CharField(max_length=4)
    signed_date = models.DateField()
    iban = models.CharField(max_length=34)
    bic = models.CharField(max_length=11, blank=True, default="")
    holder = models.CharField(max_length=140)
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "mandate_id"], name="mandate_once")]


class MandateEnd(models.Model):
    mandate = models.OneToOneField(Mandate, on_delete=models.PROTECT, related_name="end")
    effective_date = models.DateField()
    reason = models.CharField(max_length=60, blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class CollectionBatch(models.Model):
    """A slip of receipts (distinta RiBa) or a batch of direct debits, presented by us or read from a file.

    number: the name of its flow (RiBa: nome supporto; SDD: message id). total: of its orders.
    """

    bank_account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="batches")
    kind = models.CharField(max_length=8)
    number = models.CharField(max_length=40)
    presented_date = models.DateField()
    total = _amount()
    currency = models.CharField(max_length=3, default="EUR")
    orders_count = models.IntegerField()
    origin = models.CharField(max_length=8)
    document = _document()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bank_account", "kind", "number"], name="collection_batch_once")
        ]


class CollectionOrder(models.Model):
    """One receipt (RiBa) or direct debit of a batch. receipt: its number as the bank gives it back (record
    51; end-to-end id). item_id: the installment it collects, null until it is known."""

    batch = models.ForeignKey(CollectionBatch, on_delete=models.PROTECT, related_name="orders")
    receipt = models.CharField(max_length=40)
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, null=True)
    item_id = models.BigIntegerField(null=True)
    amount = _amount()
    due_date = models.DateField()
    scheme = models.CharField(max_length=4, blank=True, default="")
    mandate = models.ForeignKey(Mandate, on_delete=models.PROTECT, null=True)
    debtor_name = models.CharField(max_length=140, blank=True, default="")
    debtor_code = models.CharField(max_length=40, blank=True, default="")
    debtor_tax_code = models.CharField(max_length=20, blank=True, default="")
    debt_reference = models.CharField(max_length=200, blank=True, default="")
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "receipt"], name="collection_order_once")]
        indexes = [
            models.Index(fields=["receipt"], name="collection_order_receipt"),
            models.Index(fields=["item_id"], name="collection_order_item"),
        ]


class CollectionTie(models.Model):
    """The installment that an order collects, where the order's own file did not tell."""

    order = models.OneToOneField(CollectionOrder, on_delete=models.PROTECT, related_name="tie")
    item_id = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class Domicile(models.Model):
    """Where a customer's receipts are payable (banca d'appoggio): the newest counts."""

    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT)
    abi = models.CharField(max_length=5)
    cab = models.CharField(max_length=5)
    bank_name = models.CharField(max_length=80, blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class CollectionPolicy(models.Model):
    """A company's rules for receipts and direct debits, from its instant on: the newest counts."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    data = models.JSONField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class CollectionResult(models.Model):
    """What became of an order: credited (the bank put its money on our account, maybe before it is due),
    provisional (due, counted as paid, may still come back), paid, unpaid, refunded, withdrawn or unknown (a
    cause that the table does not know, for a person to look at)."""

    order = models.ForeignKey(CollectionOrder, on_delete=models.PROTECT, related_name="results")
    outcome = models.CharField(max_length=12)
    cause = models.CharField(max_length=10, blank=True, default="")
    effective_date = models.DateField()
    transaction = models.ForeignKey(BankTransaction, on_delete=models.PROTECT, null=True, related_name="+")
    payment_id = models.BigIntegerField(null=True)
    document = _document()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order", "outcome", "effective_date"], name="collection_result_once"
            )
        ]


class CashExport(models.Model):
    """A file of postings for an ERP: proposals (the ERP posts cash) or the prima nota incassi (we do)."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    source = models.ForeignKey(Source, on_delete=models.PROTECT)
    posts_cash = models.CharField(max_length=5)
    number = models.IntegerField()
    day = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "number"], name="cash_export_once")]


class CashExportLine(models.Model):
    """One posting in an export; a posting is in one export of a source at most."""

    export = models.ForeignKey(CashExport, on_delete=models.PROTECT, related_name="export_lines")
    source_id = models.IntegerField()
    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source_id", "posting"], name="cash_export_line_once")]


class CashAcknowledgement(models.Model):
    """The ERP shows the cash of a posting too, on one item (its list has less open) or on account (item_id
    null: the cash is tied to a payment line of the ERP's own)."""

    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="acknowledgements")
    item_id = models.BigIntegerField(null=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT)
    document = _document()
    reference = models.CharField(max_length=60, blank=True, default="")
    effective_date = models.DateField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["posting", "item_id"], name="cash_acknowledged_once", nulls_distinct=False
            )
        ]


class PaidClaim(models.Model):
    """The customer says that it has paid already: the cash desk looks for it before anybody is dunned.

    amount and paid_date as the customer states them, null where it does not. document: the message.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="paid_claims")
    currency = models.CharField(max_length=3)
    amount = _amount(null=True)
    paid_date = models.DateField(null=True)
    document = _document()
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class PaidClaimItem(models.Model):
    """An item that the claim names; a claim without any is about all that was asked for."""

    claim = models.ForeignKey(PaidClaim, on_delete=models.PROTECT, related_name="items")
    item_id = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["claim", "item_id"], name="paid_claim_item_once")]
        indexes = [models.Index(fields=["item_id"], name="paid_claim_item")]


class PaidClaimEnd(models.Model):
    """What the cash desk found: the money (found), nothing (not_found), or that it was a mistake."""

    class Outcome(models.TextChoices):
        FOUND = "found"
        NOT_FOUND = "not_found"
        MISTAKE = "mistake"

    claim = models.OneToOneField(PaidClaim, on_delete=models.PROTECT, related_name="end")
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    note = models.TextField(blank=True, default="")
    effective_date = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()
