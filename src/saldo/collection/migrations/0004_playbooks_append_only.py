from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("collection", "0003_playbooks_and_holds")]

    operations = [
        append_only(f"collection_{name}")
        for name in ("hold", "holdend", "playbookversion", "playbookactivation", "segmentchoice", "itemlevel", "playbookaction", "playbookdecision")
    ]
