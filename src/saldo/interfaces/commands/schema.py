"""The schema of the database against the one this code needs."""

from __future__ import annotations

import os

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from saldo.core.errors import SaldoError

# One process at a time changes the schema; others wait and then find it done.
SCHEMA_LOCK = 0x53414C4453


def is_embedded() -> bool:
    return "DATABASE_URL" not in os.environ


def make_ready(may_migrate: bool) -> None:
    """Bring an embedded or empty database up to date; refuse one that is older or newer than the code.

    Raises SaldoError: schema_newer (this code is too old), schema_older (run saldo migrate).
    """
    executor = MigrationExecutor(connection)
    unknown = set(executor.loader.applied_migrations) - set(executor.loader.disk_migrations)
    ours = sorted(f"{app}.{name}" for app, name in unknown if app in executor.loader.migrated_apps)
    if ours:
        raise SaldoError("schema_newer", migrations=", ".join(ours))
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return
    is_empty = not executor.loader.applied_migrations
    if not may_migrate or not (is_embedded() or is_empty):
        raise SaldoError("schema_older", missing=len(plan))
    migrate()


def migrate() -> int:
    """Apply what is missing, one process at a time; returns how many migrations were missing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [SCHEMA_LOCK])
        try:
            executor = MigrationExecutor(connection)
            missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
            if missing:
                call_command("migrate", verbosity=0, interactive=False)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [SCHEMA_LOCK])
    return missing
