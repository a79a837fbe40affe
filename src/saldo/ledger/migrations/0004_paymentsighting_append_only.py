from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_paymentsighting")]

    operations = [append_only("ledger_paymentsighting")]
