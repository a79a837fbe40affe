"""Triggers and constraints of the ledger: append-only, never over-allocated, one company, one currency."""

from pathlib import Path

from django.db import migrations

from saldo.storage.append_only import append_only

RULES = Path(__file__).with_name("rules.sql").read_text(encoding="utf-8")
UNDO = """
DROP TRIGGER ledger_terms_inserted ON ledger_itemterms;
DROP TRIGGER ledger_allocation_inserted ON ledger_allocation;
DROP TRIGGER ledger_item_inserted ON ledger_item;
DROP TRIGGER ledger_item_account ON ledger_item;
DROP TRIGGER ledger_payment_account ON ledger_payment;
DROP TRIGGER ledger_invoice_account ON ledger_invoice;
DROP TRIGGER parties_customeraccount_stays ON parties_customeraccount;
DROP TRIGGER parties_customeraccount_kept ON parties_customeraccount;
DROP FUNCTION ledger_terms_inserted(), ledger_allocation_inserted(), ledger_item_inserted(),
    ledger_account_of_company(), parties_account_moved(), saldo_refuse_deletion();
DROP VIEW ledger_allocation_side;
DROP INDEX item_open_reversed;
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
