"""The creditors of a world and their bank accounts."""

from __future__ import annotations

import polars as pl
from stdnum import luhn

from saldo.simulation.draws import Draws
from saldo.simulation.world.identifiers import cin, iban
from saldo.simulation.world.names import slug
from saldo.simulation.world.parameters import Parameters
from saldo.simulation.world.tables import BANKS, COMPANIES

# Balance of each of our accounts before the first day, in whole euro.
OPENING = (80_000, 400_000)


def companies(p: Parameters, draws: Draws) -> pl.DataFrame:
    """COMPANIES of tables.py, in the order of parameters.toml."""
    rows = []
    for index, company in enumerate(p.companies):
        tax_code = company.vat_body + luhn.calc_check_digit(company.vat_body)
        domain = slug(company.code) + ".test"
        rows.append(
            {
                "company_id": index,
                **{key: getattr(company, key) for key in COMPANIES if hasattr(company, key)},
                "vat": "IT" + tax_code,
                "tax_code": tax_code,
                "email": f"amministrazione@{domain}",
                "pec": f"{slug(company.code)}@pec.{domain}",
            }
        )
    return pl.DataFrame(rows, schema=COMPANIES)


def banks(p: Parameters, draws: Draws) -> pl.DataFrame:
    """BANKS of tables.py, in the order of parameters.toml."""
    codes = [company.code for company in p.companies]
    rows = []
    for index, bank in enumerate(p.banks):
        rows.append(
            {
                "bank_id": index,
                "company_id": codes.index(bank.company),
                **{key: getattr(bank, key) for key in BANKS if hasattr(bank, key)},
                "cin": cin(bank.abi, bank.cab, bank.account),
                "iban": iban("IT", bank.abi, bank.cab, int(bank.account)),
                "opening_cents": draws.whole("bank/opening", *OPENING, index).item() * 100,
            }
        )
    return pl.DataFrame(rows, schema=BANKS)
