"""The reasons of cash application in words: why a bank line is believed to pay what it pays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from saldo.core.words import date_text, money_text, number_text

Params = Mapping[str, Any]
Wording = Callable[[Params], str]

_MOST_NUMBERS = 6


def _money(p: Params, language: str, key: str = "mills") -> str:
    return money_text(int(p[key]), str(p["currency"]), language)


def _numbers(p: Params, language: str) -> str:
    numbers = [str(each) for each in p["numbers"]]
    shown = ", ".join(numbers[:_MOST_NUMBERS])
    more = len(numbers) - _MOST_NUMBERS
    if more <= 0:
        return shown
    return f"{shown} e altri {more}" if language == "it" else f"{shown} and {more} more"


def _one(p: Params, one: str, many: str) -> str:
    return one if len(p["numbers"]) == 1 else many


def _percent(value: float, language: str) -> str:
    return f"{number_text(round(value), language)}%"


def _confirmed_it(p: Params) -> str:
    confirmed, right = int(p["confirmed"]), int(p["right"])
    if confirmed == 1:
        return "di abbinamenti come questo ne è stato confermato uno, " + ("giusto" if right else "sbagliato")
    return (
        f"di {number_text(confirmed, 'it')} abbinamenti come questo confermati, "
        f"{number_text(right, 'it')} giusti"
    )


def _confirmed_en(p: Params) -> str:
    confirmed, right = int(p["confirmed"]), int(p["right"])
    if confirmed == 1:
        return f"one match like this was confirmed, and it was {'right' if right else 'wrong'}"
    of = f"of {number_text(confirmed, 'en')} confirmed matches like this"
    return f"{of}, {number_text(right, 'en')} were right"


def _several_it(p: Params) -> str:
    return f"{_one(p, 'la partita', 'le partite')} {_numbers(p, 'it')}"


def _several_en(p: Params) -> str:
    return f"{_one(p, 'item', 'items')} {_numbers(p, 'en')}"


IT: dict[str, Wording] = {
    "match_reference": lambda p: f"il riferimento strutturato {p['reference']} indica {_several_it(p)}",
    "match_end_to_end": lambda p: f"l'identificativo end-to-end {p['reference']} indica {_several_it(p)}",
    "match_advice": lambda p: f"l'avviso di pagamento elenca {_several_it(p)}",
    "match_advice_open": lambda p: (
        f"l'avviso di pagamento elenca {_several_it(p)}, ma non quadra o nomina altro che non risulta aperto"
    ),
    "match_numbers": lambda p: f"la causale nomina {_several_it(p)}",
    "match_numbers_short": lambda p: f"la causale nomina {_several_it(p)} in forma abbreviata",
    "match_slip": lambda p: f"la causale dice {p['written']}: con una cifra corretta è {p['number']}",
    "match_numbers_more": lambda p: (
        f"la causale nomina solo una parte; {_one(p, 'completa', 'completano')} l'importo {_several_it(p)}"
    ),
    "match_numbers_some": lambda p: f"dei documenti nominati, solo {_several_it(p)} tornano con l'importo",
    "match_order": lambda p: f"la causale nomina l'ordine {p['order']}, fatturato con {_several_it(p)}",
    "match_exact": lambda p: "l'importo torna al centesimo",
    "match_sum_single": lambda p: "l'importo è quello di una sola partita aperta del cliente",
    "match_sum_all": lambda p: "l'importo è tutto l'aperto del cliente",
    "match_sum_overdue": lambda p: "l'importo è tutto lo scaduto del cliente",
    "match_sum_oldest": lambda p: (
        f"l'importo è la somma delle {number_text(int(p['count']), 'it')} partite più vecchie"
    ),
    "match_sum_several": lambda p: (
        f"l'importo è la somma di {number_text(int(p['count']), 'it')} partite aperte"
    ),
    "match_unique": lambda p: "nessun'altra combinazione di partite aperte del cliente dà questo importo",
    "match_unique_tried": lambda p: "tra le combinazioni provate è la sola che dà questo importo",
    "match_ambiguous": lambda p: (
        "anche altre combinazioni di partite aperte danno questo importo: decida una persona"
    ),
    "match_by_chance": lambda p: "le partite aperte sono tante che una somma uguale può essere un caso",
    "match_oldest": lambda p: "nessuna indicazione: si propone di chiudere dalle più vecchie",
    "match_installment": lambda p: (
        f"di {p['number']} sono aperte più rate: si prende la più vecchia che torna"
    ),
    "match_credit": lambda p: f"compensata la nota di credito {p['number']} di {_money(p, 'it')}",
    "match_credit_found": lambda p: (
        f"l'importo torna togliendo {p['number']} di {_money(p, 'it')}, che la causale non nomina"
    ),
    "match_charges_stated": lambda p: f"mancano {_money(p, 'it')}: sono le spese che la banca dichiara",
    "match_charges": lambda p: f"mancano {_money(p, 'it')}: probabili spese bancarie",
    "match_rounding": lambda p: f"mancano {_money(p, 'it')}: arrotondamento",
    "match_discount": lambda p: f"mancano {_money(p, 'it')}: lo sconto cassa delle condizioni, nei termini",
    "match_discount_late": lambda p: f"mancano {_money(p, 'it')}: lo sconto cassa, ma preso fuori termine",
    "match_withholding": lambda p: (
        f"mancano {_money(p, 'it')}: quanto una ritenuta che il gestionale non indica"
    ),
    "match_split_vat": lambda p: (
        f"mancano {_money(p, 'it')}: quanto l'IVA in scissione dei pagamenti che il gestionale non indica"
    ),
    "match_short": lambda p: f"mancano {_money(p, 'it')}, non spiegati: restano aperti su {p['number']}",
    "match_over": lambda p: f"{_money(p, 'it')} più dell'aperto: restano in conto",
    "match_rate": lambda p: (
        f"pagato {money_text(int(p['paid_mills']), str(p['paid_currency']), 'it')} per "
        f"{money_text(int(p['item_mills']), str(p['item_currency']), 'it')}, cambio della banca"
    ),
    "match_in_flight": lambda p: f"{p['number']} è già presentata all'incasso (RiBa o SDD)",
    "match_recent": lambda p: (
        f"lo stesso importo è stato saldato il {date_text(p['closed_date'], 'it')} ({p['number']})"
    ),
    "match_paid_before": lambda p: f"su {p['number']} risulta già pagato lo stesso importo",
    "match_early": lambda p: f"la partita scade solo il {date_text(p['due_date'], 'it')}",
    "match_payer_iban": lambda p: f"IBAN noto di {p['name']}",
    "match_payer_tax_code": lambda p: f"partita IVA o codice fiscale di {p['name']}",
    "match_payer_name": lambda p: f"ordinante {p['name']}",
    "match_payer_likely": lambda p: f"l'ordinante somiglia a {p['name']}",
    "match_payer_unknown": lambda p: "ordinante non riconosciuto",
    "match_payer_other": lambda p: f"paga {p['name']}, che non è l'intestatario delle partite",
    "match_pays_for": lambda p: f"paga {p['name']}, che di solito paga per questo cliente",
    "match_contradicts": lambda p: f"ma la causale nomina {_several_it(p)} di un altro cliente",
    "match_rival": lambda p: "altre indicazioni portano altrove",
    "match_duplicate": lambda p: (
        f"{p['number']} risulta già saldata il {date_text(p['closed_date'], 'it')}: pagamento doppio?"
    ),
    "match_on_account": lambda p: "nessuna partita aperta torna: in conto, in attesa di indicazioni",
    "match_on_account_said": lambda p: "la causale dice acconto e non nomina documenti",
    "match_nothing_open": lambda p: "il cliente non ha partite aperte in questa divisa",
    "match_advance": lambda p: f"la causale nomina l'ordine {p['order']}, non ancora fatturato: anticipo",
    "match_experience": _confirmed_it,
    "match_no_experience": lambda p: (
        f"ancora nessun abbinamento come questo confermato: stima prudente {_percent(p['percent'], 'it')}"
    ),
}

EN: dict[str, Wording] = {
    "match_reference": lambda p: f"the structured reference {p['reference']} means {_several_en(p)}",
    "match_end_to_end": lambda p: f"the end-to-end id {p['reference']} means {_several_en(p)}",
    "match_advice": lambda p: f"the remittance advice lists {_several_en(p)}",
    "match_advice_open": lambda p: (
        f"the remittance advice lists {_several_en(p)}, but does not add up or names what is not open"
    ),
    "match_numbers": lambda p: f"the text names {_several_en(p)}",
    "match_numbers_short": lambda p: f"the text names {_several_en(p)} in a short form",
    "match_slip": lambda p: f"the text says {p['written']}: with one digit put right it is {p['number']}",
    "match_numbers_more": lambda p: (
        f"the text names a part only; {_several_en(p)} {_one(p, 'completes', 'complete')} the amount"
    ),
    "match_numbers_some": lambda p: f"of the documents named, only {_several_en(p)} make the amount",
    "match_order": lambda p: f"the text names order {p['order']}, invoiced as {_several_en(p)}",
    "match_exact": lambda p: "the amount is right to the cent",
    "match_sum_single": lambda p: "the amount is that of one open item of the customer",
    "match_sum_all": lambda p: "the amount is all that the customer has open",
    "match_sum_overdue": lambda p: "the amount is all that the customer has overdue",
    "match_sum_oldest": lambda p: (
        f"the amount is the sum of the {number_text(int(p['count']), 'en')} oldest items"
    ),
    "match_sum_several": lambda p: (
        f"the amount is the sum of {number_text(int(p['count']), 'en')} open items"
    ),
    "match_unique": lambda p: "no other combination of the customer's open items makes this amount",
    "match_unique_tried": lambda p: "of the combinations tried, the only one that makes this amount",
    "match_ambiguous": lambda p: "other combinations of open items make this amount too: a person decides",
    "match_by_chance": lambda p: "so many items are open that an equal sum may be chance",
    "match_oldest": lambda p: "nothing says what is paid: the oldest items are proposed",
    "match_installment": lambda p: (
        f"several installments of {p['number']} are open: the oldest one that fits is taken"
    ),
    "match_credit": lambda p: f"credit note {p['number']} of {_money(p, 'en')} is taken off",
    "match_credit_found": lambda p: (
        f"the amount is right less {p['number']} of {_money(p, 'en')}, which the text does not name"
    ),
    "match_charges_stated": lambda p: f"{_money(p, 'en')} is missing: the charges that the bank states",
    "match_charges": lambda p: f"{_money(p, 'en')} is missing: bank charges, probably",
    "match_rounding": lambda p: f"{_money(p, 'en')} is missing: rounding",
    "match_discount": lambda p: f"{_money(p, 'en')} is missing: the early-payment discount, in time",
    "match_discount_late": lambda p: f"{_money(p, 'en')} is missing: the early-payment discount, taken late",
    "match_withholding": lambda p: (
        f"{_money(p, 'en')} is missing: as much as a withholding tax the ERP does not flag"
    ),
    "match_split_vat": lambda p: f"{_money(p, 'en')} is missing: as much as split VAT the ERP does not flag",
    "match_short": lambda p: f"{_money(p, 'en')} is missing, unexplained: it stays open on {p['number']}",
    "match_over": lambda p: f"{_money(p, 'en')} more than what is open: it stays on account",
    "match_rate": lambda p: (
        f"{money_text(int(p['paid_mills']), str(p['paid_currency']), 'en')} paid for "
        f"{money_text(int(p['item_mills']), str(p['item_currency']), 'en')}, at the bank's rate"
    ),
    "match_in_flight": lambda p: f"{p['number']} has been presented for collection (RiBa or SDD)",
    "match_recent": lambda p: (
        f"the same amount was settled on {date_text(p['closed_date'], 'en')} ({p['number']})"
    ),
    "match_paid_before": lambda p: f"this very amount was paid on {p['number']} before",
    "match_early": lambda p: f"the item falls due only on {date_text(p['due_date'], 'en')}",
    "match_payer_iban": lambda p: f"known IBAN of {p['name']}",
    "match_payer_tax_code": lambda p: f"VAT number or tax code of {p['name']}",
    "match_payer_name": lambda p: f"payer {p['name']}",
    "match_payer_likely": lambda p: f"the payer's name is like {p['name']}",
    "match_payer_unknown": lambda p: "payer not recognized",
    "match_payer_other": lambda p: f"{p['name']} pays, whose items these are not",
    "match_pays_for": lambda p: f"{p['name']} pays, as it usually does for this customer",
    "match_contradicts": lambda p: f"but the text names {_several_en(p)} of another customer",
    "match_rival": lambda p: "other evidence points elsewhere",
    "match_duplicate": lambda p: (
        f"{p['number']} was settled already on {date_text(p['closed_date'], 'en')}: paid twice?"
    ),
    "match_on_account": lambda p: "no open item fits: on account until the customer says what for",
    "match_on_account_said": lambda p: "the text says on account and names no document",
    "match_nothing_open": lambda p: "the customer has nothing open in this currency",
    "match_advance": lambda p: f"the text names order {p['order']}, not invoiced yet: an advance",
    "match_experience": _confirmed_en,
    "match_no_experience": lambda p: (
        f"no match like this confirmed yet: careful estimate {_percent(p['percent'], 'en')}"
    ),
}
