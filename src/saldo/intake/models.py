"""What came from outside: sources, batches, the original bytes, and what was refused."""

from __future__ import annotations

from django.db import models

from saldo.identity.models import Company


class Source(models.Model):
    """An ERP, a bank or SdI as it feeds us. Each states who posts cash and which profile reads its files."""

    class PostsCash(models.TextChoices):
        ERP = "erp"
        SALDO = "saldo"

    name = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=20)
    posts_cash = models.CharField(max_length=5, choices=PostsCash.choices, default=PostsCash.ERP)

    def __str__(self) -> str:
        return self.name


class Document(models.Model):
    """A file exactly as it came. Its bytes are in DocumentPart, compressed."""

    sha256 = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=255)
    size_bytes = models.BigIntegerField()
    recorded_at = models.DateTimeField()


class DocumentPart(models.Model):
    """A slice of a document's bytes, zlib-compressed: a row must not reach PostgreSQL's 1 GB limit."""

    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="parts")
    part_no = models.PositiveIntegerField()
    compressed = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["document", "part_no"], name="document_part_once")]


class Batch(models.Model):
    """One reading of one document: with which mapping, for which day, and what came of it."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        ASKS = "asks"
        FAILED = "failed"

    source = models.ForeignKey(Source, on_delete=models.PROTECT, null=True)
    document = models.ForeignKey(Document, on_delete=models.PROTECT)
    company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True)
    kind = models.CharField(max_length=20)
    mapping = models.TextField(blank=True, default="")
    mapping_name = models.CharField(max_length=60, blank=True, default="")
    complete = models.BooleanField(default=False)
    as_at_date = models.DateField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)
    message = models.TextField(blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["source", "-as_at_date"], name="batch_source_day")]


class Rejection(models.Model):
    """A piece of a document that was refused: where, what it said, and (by its code) why and what to do."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="rejections")
    code = models.CharField(max_length=60)
    where = models.CharField(max_length=200)
    excerpt = models.CharField(max_length=200)
    params = models.JSONField(default=dict)
    row = models.IntegerField(default=0)
    recorded_at = models.DateTimeField()
