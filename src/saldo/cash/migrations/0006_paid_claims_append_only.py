from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("cash", "0005_paid_claims")]

    operations = [
        append_only(f"cash_{name}")
        for name in ("paidclaim", "paidclaimitem", "paidclaimend")
    ]
