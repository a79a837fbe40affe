"""The ``saldo`` command. Other packages add commands by the entry point group ``saldo.commands``."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

import click

from saldo import __version__

# Loaded when used: `saldo read --help` must not wait for the whole application.
OWN = {
    "backtest": "backtesting:backtest",
    "bank": "banking:bank",
    "cash": "cash:cash",
    "collect": "collecting:collect",
    "read": "reading:read",
    "mail": "mail:mail",
    "mapping": "reading:mapping",
    "import": "importing:import_command",
    "assign": "desk:assign",
    "capacity": "desk:capacity",
    "day": "figures:day",
    "worklist": "figures:worklist",
    "template": "wording:template",
    "letters": "wording:letters",
    "train": "learning:train",
    "models": "learning:models",
    "forecast": "learning:forecast",
    "aging": "figures:aging",
    "kpi": "figures:kpi",
    "erp": "erp:erp",
    "channels": "sending_out:channels",
    "send": "sending_out:send",
    "sending": "sending:sending",
    "promise": "promises:promise",
    "plan": "plans:plan",
    "discount": "plans:discount",
    "guarantee": "plans:guarantee",
    "dispute": "disputes:dispute",
    "hold": "promises:hold",
    "preference": "care:preference",
    "care": "care:care",
    "visits": "care:visits",
    "claim": "promises:claim",
    "playbook": "playbooks:playbook",
    "experiment": "experiments:experiment",
    "serve": "serve:serve",
    "worker": "serve:worker",
    "migrate": "administration:migrate",
    "user": "administration:user",
    "company": "administration:company",
    "rebuild": "administration:rebuild",
    "replies": "mail:replies",
}


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*OWN, *(point.name for point in entry_points(group="saldo.commands"))])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in OWN:
            module, attribute = OWN[name].split(":")
            return getattr(import_module(f"saldo.interfaces.commands.{module}"), attribute)
        for point in entry_points(group="saldo.commands", name=name):
            return point.load()
        return None


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="saldo")
def main() -> None:
    """Saldo: from open invoices to cash, every decision explained."""


if __name__ == "__main__":
    main()
