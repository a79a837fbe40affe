"""``saldo db``, where the command line looks for its commands.

The group belongs to the embedded server, a layer above this one, so it is loaded by name, as settings are.
"""

from __future__ import annotations

from importlib import import_module

import click

db: click.Group = import_module("saldo.config.postgres.command").db
