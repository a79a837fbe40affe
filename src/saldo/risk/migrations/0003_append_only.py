from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("risk", "0002_risk_scores")]

    operations = [append_only("risk_financialstatement"), append_only("risk_rating")]
