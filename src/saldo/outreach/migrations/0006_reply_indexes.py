from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("outreach", "0005_sending_indexes")]

    operations = [
        migrations.AddIndex(model_name="reply", index=models.Index(fields=["rfc_id"], name="reply_rfc_id")),
        migrations.AddIndex(
            model_name="reply",
            index=models.Index(fields=["from_address", "recorded_at"], name="reply_sender"),
        ),
    ]
