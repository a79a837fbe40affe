import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("disputes", "0004_disputes_append_only"),
        ("identity", "0005_resolver"),
        ("intake", "0002_append_only"),
    ]

    operations = [
        migrations.CreateModel(
            name="DisputeEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("note", "Note"), ("owner", "Owner"), ("due", "Due"), ("claimed", "Claimed"), ("answer", "Answer"), ("agreed", "Agreed"), ("resolution", "Resolution"), ("reopening", "Reopening")], max_length=10)),
                ("outcome", models.CharField(blank=True, default="", max_length=12)),
                ("amount", models.DecimalField(decimal_places=3, max_digits=18, null=True)),
                ("owner", models.CharField(blank=True, default="", max_length=150)),
                ("due_date", models.DateField(null=True)),
                ("note", models.TextField(blank=True, default="")),
                ("effective_date", models.DateField()),
                ("actor", models.CharField(max_length=150)),
                ("recorded_at", models.DateTimeField()),
                ("dispute", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="entries", to="disputes.dispute")),
                ("document", models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="intake.document")),
            ],
            options={"indexes": [models.Index(fields=["recorded_at"], name="dispute_entry_recorded")]},
        ),
        migrations.CreateModel(
            name="DisputeSettlement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("item_id", models.BigIntegerField()),
                ("amount", models.DecimalField(decimal_places=3, max_digits=18)),
                ("entry", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="settlements", to="disputes.disputeentry")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("entry", "item_id"), name="dispute_settlement_once"),
                    models.CheckConstraint(condition=models.Q(("amount", 0), _negated=True), name="dispute_settlement_not_zero"),
                ]
            },
        ),
        migrations.CreateModel(
            name="DisputeSettings",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("data", models.JSONField(default=dict)),
                ("note", models.TextField(blank=True, default="")),
                ("actor", models.CharField(max_length=150)),
                ("recorded_at", models.DateTimeField()),
                ("company", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="identity.company")),
            ],
            options={"indexes": [models.Index(fields=["company", "recorded_at"], name="dispute_settings_newest")]},
        ),
    ]
