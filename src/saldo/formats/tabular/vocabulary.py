"""Headers and document types in the words of Italian, English and German exports, for ``suggest``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from saldo.formats.tabular.bank_words import bank_words
from saldo.formats.tabular.headers import normalized
from saldo.formats.tabular.mapping import load_profile, profile_names

_WORDS = {
    "company_code": (
        "company|company code|business code|business unit|società|codice società|azienda|ditta|bukrs|"
        "buchungskreis|legal entity"
    ),
    "customer_code": (
        "customer|customer id|customer code|customer number|cust number|cust no|account number|client id|"
        "codice cliente|cod cliente|cod cli|conto cliente|codice anagrafica|kunde|kundennummer|debitor|"
        "kunnr|konto"
    ),
    "customer_name": (
        "customer name|name customer|client name|cliente|ragione sociale|rag soc|denominazione|"
        "intestatario|nome cliente|name|kundenname|name1|company name|descrizione cliente"
    ),
    "customer_vat": ("vat|vat number|vat id|tax id|partita iva|p iva|piva|ust id|stceg"),
    "customer_tax_code": ("tax code|codice fiscale|cod fiscale|cf|stcd1"),
    "customer_country": ("country|country code|nazione|paese|land|land1|customer country"),
    "kind": (
        "type|doc type|document type|invoice type|move type|tipo|tipo doc|tipo documento|causale|"
        "belegart|blart"
    ),
    "number": (
        "number|invoice|invoice number|invoice no|invoice id|doc id|doc number|document number|"
        "document no|numero|numero fattura|n fattura|nr fattura|num doc|numero documento|n documento|"
        "nr doc|fattura|documento|rechnungsnummer|belegnummer|belnr|xblnr|numero partita|reference"
    ),
    "document_date": (
        "invoice date|document date|doc date|date|issue date|posting date|bill date|data|data fattura|"
        "data doc|data documento|data emissione|data registrazione|rechnungsdatum|belegdatum|bldat|"
        "buchungsdatum|budat"
    ),
    "due_date": (
        "due date|due|due in date|net due date|maturity date|scadenza|data scadenza|data scad|scad|"
        "fälligkeit|fälligkeitsdatum|nettofälligkeit|faedt"
    ),
    "terms_text": (
        "terms|payment terms|terms of payment|condizioni di pagamento|condizioni pagamento|pagamento|"
        "termini di pagamento|zahlungsbedingung"
    ),
    "installment_no": ("installment|installment no|instalment|rata|n rata|numero rata|num rata|rate"),
    "currency": ("currency|curr|ccy|invoice currency|document currency|divisa|valuta|währung|waers"),
    "amount": (
        "amount|invoice amount|total|total amount|gross amount|total open amount|importo|"
        "importo originale|importo fattura|totale|totale documento|totale fattura|betrag|importo totale|"
        "original amount"
    ),
    "open": (
        "open|open amount|amount due|balance|outstanding|outstanding amount|residual|amount residual|"
        "residuo|importo residuo|saldo|importo aperto|da incassare|importo scadenza|offen|offener betrag|"
        "remaining amount"
    ),
    "paid": ("paid|paid amount|amount paid|pagato|importo pagato|incassato|importo incassato|bezahlt"),
    "debit": ("debit|dare|importo dare|soll|debit amount"),
    "credit": ("credit|avere|importo avere|haben|credit amount"),
    "sign": ("sign|segno|d a|dare avere|debit credit|d c|dr cr|s h|soll haben|shkzg"),
    "split_vat": ("split vat|split payment|iva split|iva scissione|scissione dei pagamenti"),
    "withholding": ("withholding|withholding tax|ritenuta|ritenuta acconto|ritenuta d acconto"),
    "settled_date": (
        "settled date|clear date|clearing date|paid date|payment date|date paid|data pagamento|"
        "data incasso|data saldo|data pareggio|data chiusura|ausgleichsdatum|augdt|settlement date|"
        "settled on|paid on|cleared on|collection date|incassata il|incassato il|pagata il|pagato il|"
        "saldata il|saldato il|bezahlt am|zahlungsdatum"
    ),
    "payment_method": (
        "payment method|method|tipo pagamento|modalità pagamento|mod pag|metodo pagamento|tipo effetto|"
        "zahlweg"
    ),
    "order_ref": (
        "order|order number|po number|purchase order|sales order|ordine|numero ordine|rif ordine|bestellung"
    ),
    "source_key": ("external id|line id|item id|id riga|id partita|record id"),
    "source_at": ("entry date|created|created at|create date|data inserimento|erfassungsdatum|cpudt"),
}
_KINDS = {
    "invoice": (
        "ft fat fatt fattura fatturadivendita fatturacliente fe fv inv invoice customerinvoice "
        "outinvoice rv dr re rechnung td01 td24 si salesinvoice parcella"
    ),
    "credit_note": (
        "nc ndc ncr notacredito notadicredito notadicreditocliente cn cm creditnote creditmemo "
        "customercreditnote outrefund dg gutschrift td04 storno"
    ),
    "debit_note": ("nd ndb notadebito notadiaddebito notadidebito dn debitnote debitmemo da td05"),
    "payment": ("in inc acc ac incasso acconto pagamento pay payment receipt dz zahlung bonifico"),
    "ignore": ("ab inrefund ininvoice vendorbill vendorcreditnote fatturafornitore"),
}
# Two usual headers may stand in a letterhead (a company, a date).
_ENOUGH_HEADERS = 3
KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}
SIDES = (
    ("d", "a"),
    ("dare", "avere"),
    ("s", "h"),
    ("soll", "haben"),
    ("dr", "cr"),
    ("debit", "credit"),
    ("d", "c"),
)


@cache
def headers_of() -> dict[str, frozenset[str]]:
    """Canonical column -> normalized headers: the words above and those of the shipped profiles."""
    words = {key: {normalized(word) for word in text.split("|")} for key, text in _WORDS.items()}
    for name in profile_names():
        profile = load_profile(name)
        if profile.kind == "receivables":
            for key, headers in profile.wanted().items():
                words[key] |= {normalized(header) for header in headers}
    return {key: frozenset(known - {""}) for key, known in words.items()}


@cache
def usual_headers() -> frozenset[str]:
    """Every normalized header of documents and of bank movements."""
    return frozenset().union(*headers_of().values(), *bank_words().values())


def usual_header(heads: Sequence[Sequence[str]]) -> int:
    """The row with most headers that exports usually have, -1 below three: a short list below a long
    letterhead has no usual width to go by."""
    known = usual_headers()
    scores = [len({normalized(cell) for cell in row} & known) for row in heads]
    best = max(scores, default=0)
    return scores.index(best) if best >= _ENOUGH_HEADERS else -1
