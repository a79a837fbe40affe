"""What is told of a message from outside, in words: why it is not trusted, what of it was left aside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from saldo.core.reply_reasons import LABELS
from saldo.core.words import date_text, number_text

Params = Mapping[str, Any]
Wording = Callable[[Params], str]

IT: dict[str, Wording] = {
    "mail_not_threaded": lambda p: (
        "non risponde a un nostro messaggio: che venga dal cliente lo dice solo il mittente dichiarato"
    ),
    "mail_unknown_sender": lambda p: f"nessun cliente ha l'indirizzo {p['address']}",
    "mail_from_elsewhere": lambda p: f"{p['address']} non è un indirizzo del cliente",
    "mail_token_tampered": lambda p: "l'indirizzo di risposta è stato alterato: la firma non torna",
    "mail_dmarc_failed": lambda p: "il nostro server non conferma il mittente (DMARC fallito)",
    "mail_spf_failed": lambda p: "il nostro server non conferma il mittente (SPF fallito, nessuna firma)",
    "pec_sender_differs": lambda p: (
        "il mittente certificato dal gestore PEC non è quello scritto nel messaggio"
    ),
    "pec_data_missing": lambda p: (
        "si presenta come ricevuta PEC ma manca daticert.xml: non vale come ricevuta"
    ),
    "pec_data_broken": lambda p: (
        "si presenta come ricevuta PEC ma daticert.xml è illeggibile: non vale come ricevuta"
    ),
    "pec_data_differs": lambda p: (
        "si presenta come ricevuta PEC ma daticert.xml dice altro: non vale come ricevuta"
    ),
    "pec_receipt_elsewhere": lambda p: (
        "si presenta come ricevuta PEC ma è arrivata in una casella ordinaria: non vale come ricevuta"
    ),
    "pec_receipt_not_ours": lambda p: "ricevuta PEC di un messaggio che non risulta inviato da qui",
    "pec_receipt_other_recipient": lambda p: (
        f"ricevuta PEC per {p['address']}, che non è il destinatario del messaggio"
    ),
    "mail_report_not_ours": lambda p: "notifica del server su un messaggio che non risulta inviato da qui",
    "mail_read_receipt": lambda p: "conferma di lettura",
    "mail_own": lambda p: "è un nostro messaggio tornato indietro",
    "mail_loop": lambda p: (
        f"{number_text(int(p['count']), 'it')} messaggi in un'ora dallo stesso indirizzo: "
        "conservati senza leggerli né rispondere"
    ),
    "mail_too_large": lambda p: (
        f"messaggio di {number_text(int(p['megabytes']), 'it')} MB: letto solo l'inizio, "
        "gli allegati sono rimasti nella casella"
    ),
    "mail_broken": lambda p: "il messaggio non si è potuto leggere: è conservato com'è arrivato",
    "mail_not_understood": lambda p: (
        "durante la lettura si è verificato un errore: il messaggio è conservato com'è arrivato"
    ),
    "mail_advice_imported": lambda p: "l'avviso di pagamento è stato passato agli incassi",
    "mail_files_left": lambda p: "gli allegati non sono stati letti, perché non si sa chi li manda",
    "mail_list": lambda p: "messaggio di una lista o inviato a molti",
    "mail_machine": lambda p: "risposta automatica di un programma",
    "mail_opt_out_link": lambda p: "chiesto con il pulsante di disiscrizione",
    "reply_no_facts": lambda p: "non dice abbastanza per compilare tutto",
    "reply_not_trusted": lambda p: "la provenienza non è certa: niente è compilato",
    "reply_date_passed": lambda p: f"la data indicata, {date_text(p['date'], 'it')}, è già passata",
    "reply_conditional": lambda p: "pone una condizione",
    "reply_plan": lambda p: "propone più rate: va concordato un piano",
    "reply_other_currency": lambda p: (
        f"parla di {p['currency']}, ma non c'è niente di aperto in quella valuta"
    ),
    "reply_second_opinion": lambda p: (
        f"un secondo parere, chiesto fuori, vi legge {LABELS['it'][p['label']]}"
    ),
    "reply_nothing_owed": lambda p: "il cliente non ha più niente di scaduto o aperto",
    "reply_legal": lambda p: "parla di avvocati o di vie legali",
    "reply_insolvent": lambda p: "parla di una procedura di insolvenza",
    "reply_wants_no_more": lambda p: "chiede di non ricevere altri messaggi",
}

EN: dict[str, Wording] = {
    "mail_not_threaded": lambda p: (
        "it answers no message of ours: only its stated sender says that it is the customer's"
    ),
    "mail_unknown_sender": lambda p: f"no customer has the address {p['address']}",
    "mail_from_elsewhere": lambda p: f"{p['address']} is not an address of the customer",
    "mail_token_tampered": lambda p: "the reply address was altered: its signature is wrong",
    "mail_dmarc_failed": lambda p: "our server does not confirm the sender (DMARC failed)",
    "mail_spf_failed": lambda p: "our server does not confirm the sender (SPF failed, no signature)",
    "pec_sender_differs": lambda p: "the sender certified by the PEC provider is not the one in the message",
    "pec_data_missing": lambda p: "it calls itself a PEC receipt but has no daticert.xml: it is none",
    "pec_data_broken": lambda p: (
        "it calls itself a PEC receipt but its daticert.xml is unreadable: it is none"
    ),
    "pec_data_differs": lambda p: (
        "it calls itself a PEC receipt but its daticert.xml says otherwise: it is none"
    ),
    "pec_receipt_elsewhere": lambda p: (
        "it calls itself a PEC receipt but came to an ordinary mailbox: it is none"
    ),
    "pec_receipt_not_ours": lambda p: "a PEC receipt of a message that was not sent from here",
    "pec_receipt_other_recipient": lambda p: (
        f"a PEC receipt for {p['address']}, who is not whom the message went to"
    ),
    "mail_report_not_ours": lambda p: "a server's notice about a message that was not sent from here",
    "mail_read_receipt": lambda p: "a read receipt",
    "mail_own": lambda p: "a message of ours that came back",
    "mail_loop": lambda p: (
        f"{number_text(int(p['count']), 'en')} messages from one address within an hour: "
        "kept, neither read nor answered"
    ),
    "mail_too_large": lambda p: (
        f"a message of {number_text(int(p['megabytes']), 'en')} MB: only its beginning was read, "
        "its attachments were left in the mailbox"
    ),
    "mail_broken": lambda p: "the message could not be read: it is kept as it came",
    "mail_not_understood": lambda p: "an error occurred while reading it: the message is kept as it came",
    "mail_advice_imported": lambda p: "the remittance advice was passed to the cash desk",
    "mail_files_left": lambda p: "its attachments were not read, because it is not known who sent them",
    "mail_list": lambda p: "a message of a list, or sent to many",
    "mail_machine": lambda p: "a program's automatic answer",
    "mail_opt_out_link": lambda p: "asked for with the unsubscribe button",
    "reply_no_facts": lambda p: "it does not say enough to fill everything in",
    "reply_not_trusted": lambda p: "where it comes from is not certain: nothing is filled in",
    "reply_date_passed": lambda p: f"the date it gives, {date_text(p['date'], 'en')}, has passed",
    "reply_conditional": lambda p: "it sets a condition",
    "reply_plan": lambda p: "it proposes several installments: a plan has to be agreed",
    "reply_other_currency": lambda p: f"it speaks of {p['currency']}, but nothing is open in that currency",
    "reply_second_opinion": lambda p: (
        f"a second opinion, asked outside, reads {LABELS['en'][p['label']]} in it"
    ),
    "reply_nothing_owed": lambda p: "the customer owes nothing any more",
    "reply_legal": lambda p: "it speaks of lawyers or legal steps",
    "reply_insolvent": lambda p: "it speaks of insolvency proceedings",
    "reply_wants_no_more": lambda p: "it asks for no further messages",
}
