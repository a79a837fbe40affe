from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("collection", "0001_initial")]

    operations = [append_only("collection_outcome")]
