from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("parties", "0005_preferences")]

    operations = [append_only(f"parties_{name}") for name in ("preference", "preferenceend")]
