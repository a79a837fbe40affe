"""What is said to customers and what they say back: templates, messages, deliveries, replies.

All tables but MailboxCursor are append-only: what became of a message is the sequence of its deliveries.
"""

from __future__ import annotations

from django.db import models

from saldo.collection.models import PlaybookAction
from saldo.identity.models import Company
from saldo.intake.models import Document
from saldo.parties.models import CustomerAccount


def _document() -> models.ForeignKey:
    return models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")


class TemplateVersion(models.Model):
    """The words of a message, by channel and language. The newest version of a code is in use; where a
    company has none, the shipped one is. Only variables that exist get in."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    code = models.CharField(max_length=40)
    channel = models.CharField(max_length=8)
    language = models.CharField(max_length=2)
    version = models.PositiveIntegerField()
    subject = models.CharField(max_length=200, blank=True, default="")
    body = models.TextField()
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["company", "code", "channel", "language", "version"], name="template_version_once"
            )
        ]


class Message(models.Model):
    """One message as it was decided and worded. What became of it: its deliveries.

    key: what makes it this message and no other ("<account>:<currency>:<track>:<day>" for a playbook's), so
    that it exists once whoever asks. rfc_id: its Message-ID, with angle brackets (e-mail and PEC). token:
    stands in the reply address and in links, signed. template, template_version: 0 is the shipped one.
    attach: kinds of attachments made when it is sent ("statement", "invoices").
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="messages")
    action = models.ForeignKey(PlaybookAction, on_delete=models.PROTECT, null=True, related_name="messages")
    in_reply_to = models.ForeignKey("Reply", on_delete=models.PROTECT, null=True, related_name="answers")
    key = models.CharField(max_length=120, unique=True)
    channel = models.CharField(max_length=8)
    purpose = models.CharField(max_length=16)
    track = models.CharField(max_length=8, blank=True, default="")
    step = models.CharField(max_length=40, blank=True, default="")
    level = models.PositiveSmallIntegerField(default=0)
    tone = models.CharField(max_length=10, blank=True, default="")
    currency = models.CharField(max_length=3)
    asked = models.DecimalField(max_digits=18, decimal_places=3)
    contact_id = models.BigIntegerField(null=True)
    to_name = models.CharField(max_length=200, blank=True, default="")
    to_address = models.CharField(max_length=300, blank=True, default="")
    language = models.CharField(max_length=2)
    template = models.CharField(max_length=40, blank=True, default="")
    template_version = models.PositiveIntegerField(default=0)
    subject = models.CharField(max_length=300, blank=True, default="")
    body = models.TextField()
    attach = models.JSONField(default=list)
    rfc_id = models.CharField(max_length=200, unique=True, null=True)
    token = models.CharField(max_length=24, unique=True)
    as_of = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["account", "as_of"], name="message_account"),
            models.Index(fields=["company", "recorded_at"], name="message_company"),
            # The caps of a contact are counted before each message.
            models.Index(fields=["to_address"], name="message_to_address"),
            models.Index(fields=["contact_id"], name="message_contact"),
        ]


class MessageItem(models.Model):
    """An item that the message asks for, and the level that it has reached once the message is sent."""

    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="items")
    item_id = models.BigIntegerField()
    asked = models.DecimalField(max_digits=18, decimal_places=3)
    level = models.PositiveSmallIntegerField(default=0)
    level_before = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "item_id"], name="message_item_once")]
        indexes = [models.Index(fields=["item_id"], name="message_item")]


class Delivery(models.Model):
    """One thing that became of a message. The newest decides its state.

    state: queued, sending (written and committed before anything leaves: where it is the last one and its
    worker is gone, the outcome is unknown), then sent, failed, unknown, cancelled (a recheck refused it) or
    postponed (to not_before); later accepted and delivered (PEC receipts), bounced, complaint, opened,
    clicked, published (portal), printed. attempt: 1 for the first try. code: the refusal or the server's
    answer. document: the bytes sent or received.
    """

    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="deliveries")
    state = models.CharField(max_length=10)
    attempt = models.PositiveSmallIntegerField(default=0)
    code = models.CharField(max_length=40, blank=True, default="")
    detail = models.TextField(blank=True, default="")
    not_before = models.DateTimeField(null=True)
    document = _document()
    occurred_at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Of two workers that begin the same attempt, one is refused before anything leaves.
            models.UniqueConstraint(
                fields=["message", "attempt"], name="delivery_attempt_once",
                condition=models.Q(state="sending"),
            )
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["message", "id"], name="delivery_message"),
            # What was sent since midnight, and what waits: both are looked up by a state and its time.
            models.Index(fields=["state", "occurred_at"], name="delivery_state"),
            # What a person has to resolve is rare, and asked for on every page.
            models.Index(fields=["message"], name="delivery_unknown", condition=models.Q(state="unknown")),
        ]


class SendingSettings(models.Model):
    """A company's settings of sending, as changed by a person; the last row counts (core/sending.py)."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    data = models.JSONField(default=dict)
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class SendingStop(models.Model):
    """ "Ferma invii": while the last row says stopped, nothing leaves. company null: for all companies."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True)
    is_stopped = models.BooleanField()
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class Reply(models.Model):
    """What came back, once. document: its bytes as received.

    threaded_by: "message_id", "token", "address" or "" (nobody knows whose it is). is_trusted: it came by a
    way that only the addressee knows (our signed address or the Message-ID), from an address of the account,
    and nothing in its headers speaks against it; a reply that is not trusted proposes nothing by itself.
    notes: what to know of it, [{code, params}]: why it is not trusted, what of it was left aside.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True)
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, null=True, related_name="replies")
    message = models.ForeignKey(Message, on_delete=models.PROTECT, null=True, related_name="replies")
    document = models.OneToOneField(Document, on_delete=models.PROTECT, related_name="+")
    channel = models.CharField(max_length=8)
    rfc_id = models.CharField(max_length=300, blank=True, default="")
    from_address = models.CharField(max_length=300, blank=True, default="")
    from_name = models.CharField(max_length=200, blank=True, default="")
    subject = models.CharField(max_length=300, blank=True, default="")
    text = models.TextField(blank=True, default="")
    is_automatic = models.BooleanField(default=False)
    threaded_by = models.CharField(max_length=12, blank=True, default="")
    is_trusted = models.BooleanField(default=False)
    notes = models.JSONField(default=list)
    received_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["account", "received_at"], name="reply_account"),
            models.Index(fields=["company", "received_at"], name="reply_company"),
            models.Index(fields=["rfc_id"], name="reply_rfc_id"),
            models.Index(fields=["from_address", "recorded_at"], name="reply_sender"),
        ]


class ReplyReading(models.Model):
    """What a model understood of a reply: the label with its confidence (0-1), and the facts found in it.

    facts: {promised_date, amount, currency, return_date, reason, items: [item_id …]}, as far as found.
    model: name and version. The last row counts. Append-only.
    """

    reply = models.ForeignKey(Reply, on_delete=models.PROTECT, related_name="readings")
    label = models.CharField(max_length=16)
    confidence = models.FloatField()
    facts = models.JSONField(default=dict)
    reasons = models.JSONField(default=list)
    model = models.CharField(max_length=60)
    recorded_at = models.DateTimeField()


class ReplyHandling(models.Model):
    """What a person (or, for machines' answers, a rule) did about a reply; the last row counts.

    act: promise, dispute, paid_claim, hold, question, wrong_contact, opt_out, complaint, answered, nothing,
    reopened. data: ids of what was recorded.
    """

    reply = models.ForeignKey(Reply, on_delete=models.PROTECT, related_name="handlings")
    act = models.CharField(max_length=16)
    data = models.JSONField(default=dict)
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class MailboxCursor(models.Model):
    """How far a mailbox was read. What came twice is known by its bytes; the cursor only spares reading."""

    name = models.CharField(max_length=80, unique=True)
    uid_validity = models.BigIntegerField(default=0)
    last_uid = models.BigIntegerField(default=0)
    read_at = models.DateTimeField(null=True)
