from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("identity", "0003_models_registry")]

    operations = [
        append_only("identity_modelversion"),
        append_only("identity_modelfile"),
        append_only("identity_modelpromotion"),
    ]
