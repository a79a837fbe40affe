"""Yearly balance sheets of customers: XBRL instances in the manner of the Italian companies' register, and
tables of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from xml.sax.saxutils import escape

import polars as pl

from saldo.simulation.draws import Draws
from saldo.simulation.files._words import months
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.tables import Tables

Row = Mapping[str, Any]

_FOLDER = "files/credit/balance-sheets"
# The shipped profile that the tables are read with.
_MAPPING = "balance-sheets"
_TAXONOMY = "itcc-ci-2018-11-04"
# Element of the taxonomy -> column; the first at the end of the year, the others of the whole year.
_AT_THE_END = {
    "TotaleRimanenze": "inventory", "TotaleCrediti": "receivables", "TotaleDisponibilitaLiquide": "cash",
    "TotaleAttivoCircolante": "current_assets", "TotaleAttivo": "total_assets",
    "PatrimonioNettoCapitale": "capital", "PatrimonioNettoUtiliPerditePortatiNuovo": "retained_earnings",
    "PatrimonioNettoUtilePerditaEsercizio": "net_profit", "TotalePatrimonioNetto": "equity",
    "DebitiEsigibiliEntroEsercizioSuccessivo": "current_liabilities",
    "DebitiEsigibiliOltreEsercizioSuccessivo": "later_liabilities", "TotaleDebiti": "total_liabilities",
    "TotalePassivo": "total_assets",
}  # fmt: skip
_OF_THE_YEAR = {
    "ValoreProduzioneRicaviVenditePrestazioni": "revenue", "DifferenzaValoreCostiProduzione": "ebit",
    "ProventiOneriFinanziariInteressiAltriOneriFinanziariTotaleInteressiAltriOneriFinanziari":
        "interest_expense",
    "UtilePerditaEsercizio": "net_profit",
}  # fmt: skip
# Header -> column of the table.
_TABLE = {
    "Codice fiscale": "tax_code", "Partita IVA": "vat", "Denominazione": "name", "Anno": "year",
    "Data deposito": "filed_date", "Totale attivo": "total_assets", "Attivo circolante": "current_assets",
    "Disponibilità liquide": "cash", "Rimanenze": "inventory", "Crediti": "receivables",
    "Patrimonio netto": "equity", "Riserve e utili portati a nuovo": "retained_earnings",
    "Debiti entro l'esercizio": "current_liabilities", "Totale passività": "total_liabilities",
    "Ricavi": "revenue", "Risultato operativo": "ebit", "Oneri finanziari": "interest_expense",
    "Utile (perdita) d'esercizio": "net_profit", "Dipendenti": "employees",
}  # fmt: skip


def write_balance_sheets(
    t: Tables, draws: Draws, first: date, last: date, share: float = 1.0
) -> Iterator[WorldFile]:
    """Those filed from ``first`` to ``last``: an instance on the day of each, and a table for each month, on
    its last day with one.

    ``share`` of the instances; the tables are few files and have them all.
    """
    filed = (
        t.balance_sheets.filter(pl.col("filed_date").is_between(first, last))
        .join(t.customers.select("customer_id", "name", "vat", "tax_code"), on="customer_id")
        .sort("filed_date", "customer_id", "year")
    )
    instances = filed.filter(pl.col("medium") == "xbrl")
    chosen = draws.happens("documents/share", share, instances["customer_id"].to_numpy())
    for row in instances.filter(pl.Series(chosen, dtype=pl.Boolean)).iter_rows(named=True):
        name = f"{_FOLDER}/{row['tax_code'] or row['vat']}_{row['year']}.xbrl"
        yield WorldFile(name, _instance(row).encode(), row["filed_date"])
    others = filed.filter(pl.col("medium") != "xbrl")
    for day, month in months(others, "filed_date"):
        table = month.select(pl.col(column).alias(header) for header, column in _TABLE.items())
        data = table.write_csv(separator=";", date_format="%d/%m/%Y").encode()
        yield WorldFile(f"{_FOLDER}/bilanci-{day:%Y%m%d}.csv", data, day, mapping=_MAPPING)


def _instance(row: Row) -> str:
    """The statement of one year, in whole euro. What else is in the equity is capital."""
    year = row["year"]
    figures = {
        **row,
        "capital": row["equity"] - row["retained_earnings"] - row["net_profit"],
        "later_liabilities": row["total_liabilities"] - row["current_liabilities"],
    }
    code = escape(row["tax_code"] or row["vat"])
    entity = f'<entity><identifier scheme="http://www.infocamere.it">{code}</identifier></entity>'
    at_the_end = "".join(_fact(name, "i", figures[column]) for name, column in _AT_THE_END.items())
    of_the_year = "".join(_fact(name, "d", figures[column]) for name, column in _OF_THE_YEAR.items())
    who = (("DatiAnagraficiDenominazione", row["name"]), ("DatiAnagraficiCodiceFiscale", row["tax_code"]),
           ("DatiAnagraficiPartitaIva", row["vat"].removeprefix("IT")))  # fmt: skip
    named = "".join(
        f'<itcc-ci:{name} contextRef="d">{escape(text)}</itcc-ci:{name}>\n' for name, text in who if text
    )
    employees = _fact("DatiOccupazioneTotaleDipendentiNumeroMedio", "d", row["employees"], "pure")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<xbrl xmlns="http://www.xbrl.org/2003/instance"'
        ' xmlns:link="http://www.xbrl.org/2003/linkbase" xmlns:xlink="http://www.w3.org/1999/xlink"'
        ' xmlns:iso4217="http://www.xbrl.org/2003/iso4217"'
        f' xmlns:itcc-ci="http://www.infocamere.it/itnn/fr/itcc/ci/{_TAXONOMY.removeprefix("itcc-ci-")}">\n'
        f'<link:schemaRef xlink:type="simple" xlink:href="{_TAXONOMY}.xsd"/>\n'
        f'<context id="i">{entity}<period><instant>{year}-12-31</instant></period></context>\n'
        f'<context id="d">{entity}<period><startDate>{year}-01-01</startDate>'
        f"<endDate>{year}-12-31</endDate></period></context>\n"
        '<unit id="eur"><measure>iso4217:EUR</measure></unit>\n'
        '<unit id="pure"><measure>pure</measure></unit>\n'
        f"{named}{at_the_end}{of_the_year}{employees}</xbrl>\n"
    )


def _fact(name: str, context: str, value: int | None, unit: str = "eur") -> str:
    if value is None:
        return ""
    return f'<itcc-ci:{name} contextRef="{context}" unitRef="{unit}" decimals="0">{value}</itcc-ci:{name}>\n'
