from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("outreach", "0003_delivery_unknown")]

    operations = [
        migrations.AddField(model_name="reply", name="notes", field=models.JSONField(default=list)),
    ]
