from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("collection", "0009_experiments_append_only")]

    operations = [
        migrations.AddField(
            model_name="action",
            name="to_collect",
            field=models.DecimalField(db_default=0, decimal_places=3, default=0, max_digits=18),
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(fields=["day_run", "collector", "rank"], name="action_collector"),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(fields=["recorded_at"], name="assignment_recorded"),
        ),
    ]
