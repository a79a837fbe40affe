from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("intake", "0001_initial")]

    operations = [append_only("intake_document"), append_only("intake_documentpart"), append_only("intake_rejection")]
