"""Who there is in a world: the creditors, their customers, and what connects them."""

from __future__ import annotations

from saldo.simulation.world.accounts import accounts
from saldo.simulation.world.companies import banks, companies
from saldo.simulation.world.contacts import contacts, payer_banks
from saldo.simulation.world.customers import customers

__all__ = ["accounts", "banks", "companies", "contacts", "customers", "payer_banks"]
