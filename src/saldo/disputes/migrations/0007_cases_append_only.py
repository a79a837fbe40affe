from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("disputes", "0006_ends_as_entries")]

    operations = [
        append_only(f"disputes_{name}") for name in ("disputeentry", "disputesettlement", "disputesettings")
    ]
