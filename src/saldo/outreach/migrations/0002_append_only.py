from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("outreach", "0001_initial")]

    operations = [
        append_only(f"outreach_{name}")
        for name in ("templateversion", "message", "messageitem", "delivery", "sendingsettings", "sendingstop", "reply", "replyreading", "replyhandling")
    ]
