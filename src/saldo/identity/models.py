"""Who we are and who acts: companies, users and their roles, model versions, day runs and the event log."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models


class Company(models.Model):
    """Our legal entity: the creditor."""

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=200)
    vat_number = models.CharField(max_length=20, blank=True, default="")
    country = models.CharField(max_length=2, default="IT")
    currency = models.CharField(max_length=3, default="EUR")
    language = models.CharField(max_length=2, default="it")

    class Meta:
        ordering = ["code"]
        verbose_name_plural = "companies"

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class User(AbstractUser):
    """A person who logs in."""

    language = models.CharField(max_length=2, default="it", choices=[("it", "Italiano"), ("en", "English")])
    theme = models.CharField(
        max_length=6, default="auto", choices=[(t, t) for t in ("auto", "light", "dark")]
    )


class Grant(models.Model):
    """A role of a user in one company (or in every company, when company is null)."""

    class Role(models.TextChoices):
        ADMINISTRATOR = "administrator"
        CREDIT_MANAGER = "credit_manager"
        COLLECTOR = "collector"
        CASH_SPECIALIST = "cash_specialist"
        SALES = "sales"
        CFO = "cfo"
        CUSTOMER_CARE = "customer_care"
        # Somebody outside the credit office who answers disputes: sees those given to them, and no account.
        RESOLVER = "resolver"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    company = models.ForeignKey(Company, on_delete=models.CASCADE, null=True, blank=True)
    role = models.CharField(max_length=20, choices=Role.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "company", "role"], name="grant_once", nulls_distinct=False
            )
        ]


class ModelVersion(models.Model):
    """What computed a forecast or a score: the engine, its version, and all that made it.

    company is null for an engine that is the same for all. trained_as_of and known_at say which facts it has
    seen, data_hash names them, content_hash names the model's file (empty: the engine learns nothing, or
    anew each day). metrics: the backtest it was judged by. Never changed once recorded.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True)
    engine = models.CharField(max_length=40)
    version = models.CharField(max_length=40)
    rung = models.CharField(max_length=40, blank=True, default="")
    parameters = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict)
    code_version = models.CharField(max_length=20, blank=True, default="")
    data_hash = models.CharField(max_length=64, blank=True, default="")
    content_hash = models.CharField(max_length=64, blank=True, default="")
    trained_as_of = models.DateField(null=True)
    known_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["company", "engine", "version"], name="model_version_once", nulls_distinct=False
            )
        ]


class ModelFile(models.Model):
    """The bytes of a model, in the database so that every process and every backup has them."""

    model_version = models.OneToOneField(
        ModelVersion, on_delete=models.PROTECT, primary_key=True, related_name="file"
    )
    content = models.BinaryField()


class ModelPromotion(models.Model):
    """From recorded_at on this version is the one in use for its company and engine. Append-only.

    A roll back is the promotion of an older version. The one in use on a past day is the last one recorded
    by then.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    engine = models.CharField(max_length=40)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT)
    actor = models.CharField(max_length=150)
    reason = models.TextField(blank=True, default="")
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["company", "engine", "recorded_at"], name="promotion_in_use")]


class DayRun(models.Model):
    """One run of the day for one company: what was known, and when that was fixed.

    A rerun of the day uses the stored known_at, so it gives the same day. Taking in later facts makes a
    new version, which leaves the older ones as they were.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    as_of = models.DateField()
    version = models.PositiveSmallIntegerField()
    known_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    code_version = models.CharField(max_length=20)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company", "as_of", "version"], name="day_run_once")]


class Event(models.Model):
    """What happened, to whom, who did it. Append-only; read by people, never a source for decisions."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True)
    kind = models.CharField(max_length=40)
    subject_kind = models.CharField(max_length=20)
    subject_id = models.BigIntegerField()
    effective_date = models.DateField()
    recorded_at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    data = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["subject_kind", "subject_id", "recorded_at"], name="event_subject")]
