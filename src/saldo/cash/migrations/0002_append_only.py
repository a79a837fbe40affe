from django.db import migrations

from saldo.storage.append_only import append_only

TABLES = (
    "statement", "statementrelease", "banktransaction", "remittance", "matchpolicy", "matchproposal",
    "posting", "alias", "aliaswithdrawal", "mandate", "mandateend", "collectionbatch", "collectionorder",
    "collectionresult", "cashexport", "cashexportline", "cashacknowledgement",
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("cash", "0001_initial")]

    operations = [append_only(f"cash_{name}") for name in TABLES]
