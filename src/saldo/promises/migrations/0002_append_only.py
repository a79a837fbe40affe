from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("promises", "0001_initial")]

    operations = [
        append_only(f"promises_{name}")
        for name in ("promise", "promiseitem", "promiseend", "paymentplan", "planitem", "planinstallment", "planend")
    ]
