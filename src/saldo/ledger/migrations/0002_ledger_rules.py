"""Triggers and constraints of the ledger: append-only, never over-allocated, one company, one currency."""

from pathlib import Path

from django.db import migrations

from saldo.storage.append_only import append_only

RULES = Path(__file__).with_name("rules.sql").read_text(encoding="utf-8")
UNDO = """
DROP TRIGGER ledger_terms_inserted ON ledger_itemterms;
DROP TRIGGER ledger_allocation_inserted ON ledger_allocation;
DROP TRIGGER ledger_item_inserted ON ledger_item;
DROP FUNCTION ledger_terms_inserted(), ledger_allocation_inserted(), ledger_item_inserted();
DROP VIEW ledger_allocation_side;
ALTER TABLE ledger_item DROP CONSTRAINT item_account_of_company;
ALTER TABLE ledger_invoice DROP CONSTRAINT invoice_account_of_company;
ALTER TABLE ledger_payment DROP CONSTRAINT payment_account_of_company;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("parties", "0001_initial")]

    operations = [
        migrations.RunSQL(RULES, UNDO),
        *(
            append_only(f"ledger_{name}")
            for name in ("invoice", "invoicesighting", "payment", "item", "itemterms", "allocation")
        ),
    ]
