"""FatturaPA 1.2.2 as text: one e-invoice from the tables of a world.

Written with templates, thousands a second: a tree for each would take most of the time that a world has.
Element names, their order and codes: technical specifications of the Agenzia delle Entrate, version 1.2.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import polars as pl
from numpy.typing import NDArray

from saldo.simulation.draws import Draws
from saldo.simulation.files._words import words
from saldo.simulation.world.tables import Tables

Row = Mapping[str, Any]

_OPENING = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<p:FatturaElettronica'
    ' xmlns:p="http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2" versione="{format}">\n'
)
_EU = frozenset(
    ("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "HR", "HU", "IE", "LT", "LU",
     "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK")
)  # fmt: skip
# RiBa; SEPA direct debit, and its B2B scheme; transfer.
_METHODS = {"riba": "MP12", "sdd": "MP19", "transfer": "MP05"}
_SDD_B2B = "MP21"
# Lines of goods: how often one, two, three; the most pieces of a line.
_LINE_WEIGHTS = (0.5, 0.3, 0.2)
_MOST_PIECES = 12
_LONGEST_ORDER = 20


def amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def element(name: str, text: str) -> str:
    """The element with its text, nothing where there is none."""
    return f"<{name}>{escape(text)}</{name}>" if text else ""


@dataclass(frozen=True, slots=True)
class _Account:
    """What all invoices to one customer of one company have in common."""

    company: str
    sender: str
    format: str
    recipient: str
    wrong_recipient: str
    pec: str
    parties: str
    nature: tuple[str, str]
    method: str
    goods: Sequence[str]


class InvoiceTexts:
    """The texts of invoices of one world; what repeats is put together once."""

    def __init__(self, t: Tables, draws: Draws) -> None:
        self._t, self._draws = t, draws
        self._companies = {row["company_id"]: row for row in t.companies.iter_rows(named=True)}
        # The first bank of a company is the one that receives its transfers.
        banks = t.banks.sort("bank_id", descending=True).iter_rows(named=True)
        self._payee = {row["company_id"]: _payee(row) for row in banks}

    def of(self, sent: pl.DataFrame) -> Iterator[tuple[Row, str, str, str]]:
        """(row of ``sent``, code of the company, its VAT number, XML), in the order of ``sent``."""
        ids = sent.select("invoice_id").unique()
        invoices = self._t.invoices.join(ids, on="invoice_id", how="semi")
        by_id = {row["invoice_id"]: row for row in invoices.iter_rows(named=True)}
        accounts = self._accounts(invoices)
        payments = self._payments(invoices, accounts)
        goods = self._goods(invoices)
        linked = self._linked(invoices)
        ordered = self._order_dates(invoices)
        for row in sent.iter_rows(named=True):
            invoice = by_id[row["invoice_id"]]
            account = accounts[invoice["account_id"]]
            general = _general(invoice, account, linked.get(invoice["related_id"]), ordered)
            text = "".join(
                (
                    _header(account, row),
                    "\n<FatturaElettronicaBody>\n<DatiGenerali>",
                    general,
                    "</DatiGenerali>\n<DatiBeniServizi>",
                    _lines(invoice, account, goods[invoice["invoice_id"]]),
                    _summary(invoice, account),
                    "</DatiBeniServizi>\n",
                    payments.get(invoice["invoice_id"], ""),
                    "</FatturaElettronicaBody>\n</p:FatturaElettronica>\n",
                )
            )
            yield row, account.company, account.sender, text

    def _accounts(self, invoices: pl.DataFrame) -> dict[int, _Account]:
        rows = (
            self._t.accounts.join(invoices, on="account_id", how="semi")
            .select("account_id", "company_id", "customer_id", "method", "scheme")
            .join(self._t.customers, on="customer_id")
        )
        return {
            row["account_id"]: _account(row, self._companies[row["company_id"]])
            for row in rows.iter_rows(named=True)
        }

    def _payments(self, invoices: pl.DataFrame, accounts: Mapping[int, _Account]) -> dict[int, str]:
        """DatiPagamento of each invoice. A credit note asks for nothing."""
        asked = invoices.filter(pl.col("kind") == "invoice").select("invoice_id", "date")
        parts = self._t.installments.join(asked, on="invoice_id").sort("invoice_id", "no")
        banks = self._payer_banks(parts)
        company_of = dict(self._t.accounts.select("account_id", "company_id").iter_rows())
        details: dict[int, list[str]] = {}
        rows = parts.select(
            "installment_id", "invoice_id", "account_id", "due_date", "cash_cents"
        ).iter_rows()
        for part_id, invoice_id, account_id, due, cents in rows:
            method = accounts[account_id].method
            where = banks.get(part_id, "") if method == "MP12" else self._payee[company_of[account_id]]
            details.setdefault(invoice_id, []).append(
                f"<DettaglioPagamento><ModalitaPagamento>{method}</ModalitaPagamento>"
                f"<DataScadenzaPagamento>{due}</DataScadenzaPagamento>"
                f"<ImportoPagamento>{amount(cents)}</ImportoPagamento>"
                f"{'' if method in ('MP19', 'MP21') else where}</DettaglioPagamento>"
            )
        return {
            invoice_id: "<DatiPagamento><CondizioniPagamento>"
            f"{'TP01' if len(texts) > 1 else 'TP02'}</CondizioniPagamento>\n"
            + "\n".join(texts)
            + "</DatiPagamento>\n"
            for invoice_id, texts in details.items()
        }

    def _payer_banks(self, parts: pl.DataFrame) -> dict[int, str]:
        """Where a RiBa is presented: the customer's bank on the day of the invoice, by installment."""
        riba = self._t.accounts.filter(pl.col("method") == "riba").select("account_id", "customer_id")
        wanted = parts.join(riba, on="account_id").sort("date")
        banks = self._t.payer_banks.sort("from_date")
        found = wanted.join_asof(
            banks, left_on="date", right_on="from_date", by="customer_id", check_sortedness=False
        )
        rows = found.filter(pl.col("abi").fill_null("") != "").select(
            "installment_id", "bank_name", "abi", "cab"
        )
        return {
            part_id: element("IstitutoFinanziario", name) + f"<ABI>{abi}</ABI><CAB>{cab}</CAB>"
            for part_id, name, abi, cab in rows.iter_rows()
        }

    def _goods(self, invoices: pl.DataFrame) -> dict[int, list[tuple[int, int, int]]]:
        """(good, pieces, cents of the line) of each line; the lines of an invoice add up to its taxable."""
        ids = invoices["invoice_id"].to_numpy()
        taxable = invoices["taxable_cents"].to_numpy()
        lines = 1 + self._draws.choice("invoice/lines", _LINE_WEIGHTS, ids)
        cut = self._draws.uniform("invoice/cut", ids[:, None], np.arange(2)[None, :])
        first = np.where(lines > 1, (taxable * (0.2 + 0.5 * cut[:, 0])).astype(np.int64), taxable)
        second = np.where(
            lines > 2, ((taxable - first) * (0.3 + 0.4 * cut[:, 1])).astype(np.int64), taxable - first
        )
        parts = np.stack((first, second, taxable - first - second), axis=1)
        pieces = self._draws.whole("invoice/pieces", 1, _MOST_PIECES, ids[:, None], np.arange(3)[None, :])
        pieces = np.where(parts % pieces == 0, pieces, 1)
        kinds = self._draws.whole("invoice/good", 0, 999, ids[:, None], np.arange(3)[None, :])
        return {
            int(invoice_id): _written(kinds[at], pieces[at], parts[at]) for at, invoice_id in enumerate(ids)
        }

    def _linked(self, invoices: pl.DataFrame) -> dict[int | None, tuple[str, date]]:
        """Number and date of the invoices that credit notes are about."""
        wanted = invoices.select(pl.col("related_id").drop_nulls().unique().alias("invoice_id"))
        rows = self._t.invoices.join(wanted, on="invoice_id", how="semi").select(
            "invoice_id", "number", "date"
        )
        return {invoice_id: (number, day) for invoice_id, number, day in rows.iter_rows()}

    def _order_dates(self, invoices: pl.DataFrame) -> dict[int | None, date]:
        rows = self._t.orders.join(invoices, on="invoice_id", how="semi").select("invoice_id", "date")
        return dict(rows.iter_rows())


def _written(
    kinds: NDArray[np.int64], pieces: NDArray[np.int64], parts: NDArray[np.int64]
) -> list[tuple[int, int, int]]:
    lines = list(zip(kinds.tolist(), pieces.tolist(), parts.tolist(), strict=True))
    return [line for line in lines if line[2]] or lines[:1]


def _payee(bank: Row) -> str:
    return (
        element("IstitutoFinanziario", bank["name"])
        + element("IBAN", bank["iban"])
        + element("ABI", bank["abi"])
        + element("CAB", bank["cab"])
        + element("BIC", bank["bic"])
    )


# -- header ----------------------------------------------------------------------------------------------


def _account(customer: Row, company: Row) -> _Account:
    is_public = customer["special"] == "public_body"
    is_foreign = customer["country"] != "IT"
    code = customer["sdi_code"] or ("XXXXXXX" if is_foreign else "0000000")
    nature = words("natures")["home" if not is_foreign else "eu" if customer["country"] in _EU else "abroad"]
    method = _SDD_B2B if customer["scheme"] == "B2B" else _METHODS[customer["method"]]
    goods = words("goods")
    return _Account(
        company=company["code"],
        sender=company["vat"].removeprefix("IT"),
        format="FPA12" if is_public else "FPR12",
        recipient=code,
        wrong_recipient=words("sdi")["wrong_public_code" if is_public else "wrong_code"],
        # SdI takes the address only beside the code that means "none".
        pec=customer["pec"] if code == "0000000" else "",
        parties=_seller(company) + _buyer(customer),
        nature=(nature[0], nature[1]),
        method=method,
        goods=goods.get(company["products"]) or next(iter(goods.values())),
    )


def _header(account: _Account, sent: Row) -> str:
    recipient = account.wrong_recipient if sent["is_refused"] else account.recipient
    return (
        f"{_OPENING.format(format=account.format)}<FatturaElettronicaHeader>\n<DatiTrasmissione>"
        f"<IdTrasmittente><IdPaese>IT</IdPaese><IdCodice>{account.sender}</IdCodice></IdTrasmittente>"
        f"<ProgressivoInvio>{progressive(sent)}</ProgressivoInvio>"
        f"<FormatoTrasmissione>{account.format}</FormatoTrasmissione>"
        f"<CodiceDestinatario>{recipient}</CodiceDestinatario>{element('PECDestinatario', account.pec)}"
        f"</DatiTrasmissione>\n{account.parties}</FatturaElettronicaHeader>"
    )


_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Files after a refusal count from here on: no invoice of any world comes so far.
_AGAIN = 30 * 36**4


def progressive(sent: Row) -> str:
    """Five characters in base 36 that no other file of the world has."""
    ordinal = sent["invoice_id"] + (_AGAIN if sent["attempt"] else 0)
    text = ""
    for _ in range(5):
        ordinal, digit = divmod(ordinal, 36)
        text = _DIGITS[digit] + text
    return text


def _seller(company: Row) -> str:
    code = company["vat"].removeprefix("IT")
    return (
        "<CedentePrestatore><DatiAnagrafici><IdFiscaleIVA><IdPaese>IT</IdPaese>"
        f"<IdCodice>{code}</IdCodice></IdFiscaleIVA>{element('CodiceFiscale', company['tax_code'])}"
        f"<Anagrafica>{element('Denominazione', company['name'][:80])}</Anagrafica>"
        "<RegimeFiscale>RF01</RegimeFiscale></DatiAnagrafici>"
        f"{_seat(company, 'IT')}</CedentePrestatore>\n"
    )


def _buyer(customer: Row) -> str:
    vat, country = customer["vat"], customer["country"]
    tax_id = ""
    if vat:
        tax_id = (
            f"<IdFiscaleIVA><IdPaese>{vat[:2]}</IdPaese><IdCodice>{escape(vat[2:])}</IdCodice></IdFiscaleIVA>"
        )
    return (
        f"<CessionarioCommittente><DatiAnagrafici>{tax_id}"
        f"{element('CodiceFiscale', customer['tax_code'] if country == 'IT' else '')}"
        f"<Anagrafica>{element('Denominazione', customer['name'][:80])}</Anagrafica></DatiAnagrafici>"
        f"{_seat(customer, country)}</CessionarioCommittente>\n"
    )


def _seat(place: Row, country: str) -> str:
    """Of a place abroad the postal code goes into the address: CAP has five digits and Italian meaning."""
    is_home = country == "IT"
    address = place["address"] if is_home else f"{place['address']}, {place['zip']}"
    return (
        f"<Sede>{element('Indirizzo', address[:60])}<CAP>{place['zip'] if is_home else '00000'}</CAP>"
        f"{element('Comune', place['city'][:60])}{element('Provincia', place['province'] if is_home else '')}"
        f"<Nazione>{country}</Nazione></Sede>"
    )


# -- body ------------------------------------------------------------------------------------------------


def _general(
    invoice: Row, account: _Account, linked: tuple[str, date] | None, ordered: Mapping[int | None, date]
) -> str:
    is_note = invoice["kind"] == "credit_note"
    withheld = cause = reference = ""
    if invoice["withholding_cents"]:
        withheld = (
            "<DatiRitenuta><TipoRitenuta>RT02</TipoRitenuta>"
            f"<ImportoRitenuta>{amount(invoice['withholding_cents'])}</ImportoRitenuta>"
            "<AliquotaRitenuta>4.00</AliquotaRitenuta><CausalePagamento>W</CausalePagamento></DatiRitenuta>"
        )
    if invoice["order_number"]:
        reference = _reference(
            "DatiOrdineAcquisto", invoice["order_number"][:_LONGEST_ORDER], ordered.get(invoice["invoice_id"])
        )
    if is_note:
        causes = words("causes")
        cause = element("Causale", causes.get(invoice["reason"] or "", causes[""]))
        if linked:
            reference += _reference("DatiFattureCollegate", *linked)
    return (
        f"<DatiGeneraliDocumento><TipoDocumento>{'TD04' if is_note else 'TD01'}</TipoDocumento>"
        f"<Divisa>EUR</Divisa><Data>{invoice['date']}</Data>{element('Numero', invoice['number'])}{withheld}"
        f"<ImportoTotaleDocumento>{amount(invoice['total_cents'])}</ImportoTotaleDocumento>{cause}"
        f"</DatiGeneraliDocumento>\n{reference}"
    )


def _reference(name: str, number: str, day: date | None) -> str:
    return f"<{name}>{element('IdDocumento', number)}{f'<Data>{day}</Data>' if day else ''}</{name}>"


def _rate(invoice: Row) -> str:
    return f"{invoice['vat_rate'] * 100:.2f}"


def _lines(invoice: Row, account: _Account, lines: list[tuple[int, int, int]]) -> str:
    rate = f"<AliquotaIVA>{_rate(invoice)}</AliquotaIVA>"
    if invoice["withholding_cents"]:
        rate += "<Ritenuta>SI</Ritenuta>"
    if not invoice["vat_rate"]:
        rate += f"<Natura>{account.nature[0]}</Natura>"
    return "".join(
        f"<DettaglioLinee><NumeroLinea>{number}</NumeroLinea>"
        f"{element('Descrizione', account.goods[good % len(account.goods)])}"
        f"<Quantita>{pieces}.00</Quantita><UnitaMisura>PZ</UnitaMisura>"
        f"<PrezzoUnitario>{amount(cents // pieces)}</PrezzoUnitario>"
        f"<PrezzoTotale>{amount(cents)}</PrezzoTotale>{rate}</DettaglioLinee>\n"
        for number, (good, pieces, cents) in enumerate(lines, start=1)
    )


def _summary(invoice: Row, account: _Account) -> str:
    nature = due = rule = ""
    if not invoice["vat_rate"]:
        nature, rule = (
            f"<Natura>{account.nature[0]}</Natura>",
            element("RiferimentoNormativo", account.nature[1]),
        )
    else:
        due = f"<EsigibilitaIVA>{'S' if invoice['split_vat_cents'] else 'I'}</EsigibilitaIVA>"
    return (
        f"<DatiRiepilogo><AliquotaIVA>{_rate(invoice)}</AliquotaIVA>{nature}"
        f"<ImponibileImporto>{amount(invoice['taxable_cents'])}</ImponibileImporto>"
        f"<Imposta>{amount(invoice['vat_cents'])}</Imposta>{due}{rule}</DatiRiepilogo>"
    )
