from django.db import migrations, models
from django.db.models.deletion import CASCADE


class Migration(migrations.Migration):
    dependencies = [("collection", "0006_desk_append_only")]

    operations = [
        migrations.CreateModel(
            name="Attention",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=CASCADE, primary_key=True, serialize=False, to="parties.customeraccount"
                    ),
                ),
                ("actor", models.CharField(max_length=150)),
                ("since", models.DateTimeField()),
            ],
        ),
        migrations.AddIndex(
            model_name="outcome",
            index=models.Index(
                condition=models.Q(("call_back_at__isnull", False)),
                fields=["call_back_at"],
                name="outcome_call_back",
            ),
        ),
    ]
