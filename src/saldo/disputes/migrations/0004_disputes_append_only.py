from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("disputes", "0003_disputes")]

    operations = [
        append_only(f"disputes_{name}")
        for name in ("dispute", "disputeitem", "disputeend")
    ]
