from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]

    operations = [append_only("identity_event")]
