from django.db import migrations

from saldo.storage.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("promises", "0003_plans")]

    operations = [
        append_only(f"promises_{name}")
        for name in (
            "planmilestone", "milestonemet", "offer", "offerstep", "discountcredit", "guarantee",
            "guaranteeend", "planpolicy",
        )
    ]  # fmt: skip
