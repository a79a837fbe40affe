from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("collection", "0008_experiments")]

    operations = [
        append_only(f"collection_{name}") for name in ("experiment", "experimententry", "experimentend")
    ]
