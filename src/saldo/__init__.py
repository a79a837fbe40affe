"""Saldo: from open invoices to cash, every decision explained."""

__version__ = "0.1.0"
