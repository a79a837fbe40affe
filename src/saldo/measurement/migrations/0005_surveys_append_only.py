from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("measurement", "0004_surveys")]

    operations = [append_only(f"measurement_{name}") for name in ("survey", "surveyanswer")]
