"""Headers of banks' movement lists in the words of Italian, English and German home banking."""

from __future__ import annotations

from functools import cache

from saldo.formats.tabular.headers import normalized

BANK_WORDS = {
    "booking_date": (
        "data contabile|data operazione|data op|data movimento|data registrazione|data reg|data|contabile|"
        "booking date|posting date|transaction date|date|operation date|date posted|buchungstag|"
        "buchungsdatum|buchung|datum"
    ),
    "value_date": (
        "data valuta|valuta|value date|date value|wert|wertstellung|wertstellungsdatum|valutadatum|"
        "valuta datum"
    ),
    "amount": (
        "importo|importo eur|importo euro|importo movimento|ammontare|amount|amount eur|transaction amount|"
        "betrag|betrag eur|umsatz|umsatz eur"
    ),
    "in": (
        "avere|entrate|entrata|accrediti|accredito|importo avere|avere eur|credit|credits|credit amount|"
        "paid in|money in|deposits|haben|gutschrift|eingang|eingänge"
    ),
    "out": (
        "dare|uscite|uscita|addebiti|addebito|importo dare|dare eur|debit|debits|debit amount|paid out|"
        "money out|withdrawals|soll|lastschrift|ausgang|ausgänge|belastung"
    ),
    "sign": "segno|d a|dare avere|sign|debit credit|dr cr|s h|soll haben",
    "currency": "divisa|currency|ccy|währung|waehrung|valuta",
    "balance": (
        "saldo|saldo contabile|saldo progressivo|saldo eur|saldo finale|balance|running balance|"
        "account balance|saldo nach buchung|kontostand"
    ),
    "text": (
        "descrizione operazione|descrizione|descrizione movimento|descrizione estesa|descrizione completa|"
        "dettagli|dettaglio|dettaglio operazione|causale descrizione|note|informazioni aggiuntive|"
        "description|"
        "details|narrative|transaction description|remittance information|memo|payment details|"
        "verwendungszweck|buchungstext|vorgang"
    ),
    "counterparty_name": (
        "controparte|ordinante|beneficiario|ordinante beneficiario|nome controparte|counterparty|payer|payee|"
        "counterparty name|name zahlungsbeteiligter|beguenstigter zahlungspflichtiger|auftraggeber|"
        "auftraggeber empfänger"
    ),
    "counterparty_iban": (
        "iban controparte|iban ordinante|counterparty iban|iban zahlungsbeteiligter|kontonummer iban"
    ),
    "bank_reference": (
        "riferimento banca|riferimento operazione|numero operazione|id operazione|id transazione|cro|trn|"
        "bank reference|transaction id|transaction reference|reference|referenz|bankreferenz"
    ),
    "code": (
        "causale abi|codice causale|cod causale|causale|caus abi|transaction code|transaction type|code|type|"
        "geschäftsvorfallcode|gvc|umsatzart"
    ),
    "account": (
        "iban|conto|numero conto|conto corrente|rapporto|account|account number|account iban|konto|"
        "auftragskonto|iban auftragskonto"
    ),
}  # fmt: skip


@cache
def bank_words() -> dict[str, frozenset[str]]:
    """Canonical column -> normalized headers."""
    return {
        name: frozenset(normalized(word) for word in words.split("|")) for name, words in BANK_WORDS.items()
    }
