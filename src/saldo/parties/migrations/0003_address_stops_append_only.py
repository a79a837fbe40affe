from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("parties", "0002_address_stops")]

    operations = [
        append_only(f"parties_{name}")
        for name in ("addressstop", "addressrelease")
    ]
