"""What became of a message, in words: the codes of deliveries in Italian and English."""

from __future__ import annotations

from collections.abc import Mapping

# code: (Italian, English). The reasons that hold a message back, then what channels and servers answer.
WORDS: Mapping[str, tuple[str, str]] = {
    "not_live": ("l'invio non è ancora attivo per la società", "sending is not live yet for the company"),
    "stopped": ("gli invii sono fermi", "sending is stopped"),
    "paid": ("nel frattempo è stato pagato", "it has been paid meanwhile"),
    "promised": ("il cliente ha promesso il pagamento", "the customer has promised to pay"),
    "disputed": ("la partita è contestata", "the item is disputed"),
    "held": ("la posizione è sospesa", "the account is on hold"),
    "planned": ("c'è un piano di rientro", "there is a payment plan"),
    "in_flight": ("l'incasso è già in banca (RiBa o SDD)", "the bank is collecting it (RiBa or SDD)"),
    "cash_first": ("un incasso potrebbe già coprirla", "cash that came may cover it already"),
    "beyond_statement": ("l'estratto conto bancario è troppo vecchio", "the last bank statement is too old"),
    "reply_waiting": ("una risposta del cliente aspetta una persona", "a reply of the customer waits"),
    "term_running": ("corre il termine della messa in mora", "the term of the formal notice runs"),
    "amount_changed": ("l'importo dovuto è cambiato", "the amount due has changed"),
    "below_minimum": ("l'importo è sotto il minimo della fase", "the amount is below the step's minimum"),
    "no_address": ("manca un indirizzo valido", "there is no valid address"),
    "address_stopped": ("a questo indirizzo non si scrive più", "this address is not written to any more"),
    "no_consent": ("manca il consenso per questo canale", "consent to this channel is missing"),
    "superseded": ("un messaggio più recente ne ha preso il posto", "a newer message has taken its place"),
    "expired": ("è rimasto in attesa troppo a lungo", "it has waited too long"),
    "daily_cap": ("raggiunto il massimo di invii del giorno", "the day's cap of messages is reached"),
    "contact_cap": ("il contatto ha già ricevuto abbastanza messaggi", "the contact has had enough messages"),
    "quiet_hours": ("fuori dall'orario di invio", "outside of the hours of sending"),
    "holiday": ("giorno non lavorativo", "not a working day"),
    "worker_gone": (
        "il programma si è fermato durante l'invio: forse è partito",
        "the program stopped while sending: it may have left",
    ),
    "told_by_person": ("indicato da una persona", "told by a person"),
    "again": ("rimesso in coda da una persona", "queued again by a person"),
    "not_checked": ("i controlli prima dell'invio non sono riusciti", "the checks before sending failed"),
    "overtaken": ("ripreso da un altro processo prima dell'invio", "another process took it first"),
    "not_made": ("non è stato possibile comporlo", "it could not be made"),
    "channel_failed": ("il canale si è interrotto: forse è partito", "the channel broke: it may have left"),
    "channel_not_set_up": ("il canale non è configurato", "the channel is not set up"),
    "channels_invalid": ("il file dei canali ha un errore", "the file of channels has an error"),
    "channels_readable": (
        "il file dei canali è leggibile da altri utenti", "the file of channels can be read by other users",
    ),
    "address_invalid": ("l'indirizzo non è valido", "the address is not valid"),
    "too_large": ("il messaggio supera la dimensione ammessa", "the message is larger than allowed"),
    "too_long": ("il testo è troppo lungo per un SMS", "the text is too long for an SMS"),
    "recipient_refused": ("il destinatario non esiste", "the recipient does not exist"),
    "smtp_connect": ("il server di posta non risponde", "the mail server does not answer"),
    "smtp_hello": ("il server di posta ha rifiutato la connessione", "the mail server turned us away"),
    "smtp_tls": ("la connessione cifrata non è riuscita", "the encrypted connection failed"),
    "smtp_login": ("il server di posta ha rifiutato l'accesso", "the mail server refused the login"),
    "smtp_from": ("il server di posta ha rifiutato il mittente", "the mail server refused the sender"),
    "smtp_to": ("il server di posta ha rifiutato il destinatario", "the mail server refused the recipient"),
    "smtp_data": ("il server di posta ha rifiutato il messaggio", "the mail server refused the message"),
    "smtp_content": ("il server di posta ha rifiutato il contenuto", "the mail server refused the content"),
    "smtp_no_answer": (
        "il server non ha confermato dopo aver ricevuto il messaggio: forse è partito",
        "the server took the message and did not confirm it: it may have left",
    ),
    "smtp_odd_answer": (
        "il server ha dato una risposta incomprensibile: forse è partito",
        "the server gave an answer that cannot be understood: it may have left",
    ),
    "provider_not_set_up": ("il fornitore di posta non è configurato", "the e-mail provider is not set up"),
    "provider_not_reached": ("il fornitore di posta non risponde", "the e-mail provider does not answer"),
    "provider_not_now": ("il fornitore di posta chiede di riprovare", "the provider asks to try later"),
    "provider_login": ("il fornitore di posta ha rifiutato l'accesso", "the provider refused the login"),
    "provider_refused": ("il fornitore di posta ha rifiutato il messaggio", "the e-mail provider refused it"),
    "provider_no_answer": (
        "il fornitore non ha confermato: forse è partito",
        "the provider did not confirm it: it may have left",
    ),
    "provider_odd_answer": (
        "il fornitore ha risposto con un errore: forse è partito",
        "the provider answered with an error: it may have left",
    ),
    "gateway_not_set_up": ("il gateway SMS non è configurato", "the SMS gateway is not set up"),
    "gateway_not_reached": ("il gateway SMS non risponde", "the SMS gateway does not answer"),
    "gateway_not_now": ("il gateway SMS chiede di riprovare", "the SMS gateway asks to try later"),
    "gateway_refused": ("il gateway SMS ha rifiutato il messaggio", "the SMS gateway refused it"),
    "gateway_no_answer": (
        "il gateway SMS non ha confermato: forse è partito",
        "the SMS gateway did not confirm it: it may have left",
    ),
    "folder_not_written": ("la cartella non è scrivibile", "the folder cannot be written"),
    "in_folder": ("messo nella cartella di prova, non uscito", "put into the folder for trials, not let out"),
    "name_not_usable": ("il messaggio non ha un nome valido", "the message has no usable name"),
    "already_there": ("era già nella cartella", "it was in the folder already"),
    "imap_login": ("la casella non si apre", "the mailbox cannot be opened"),
    "to_print": ("da stampare e spedire", "to be printed and posted"),
}  # fmt: skip


def words(code: str, language: str = "it") -> str:
    """The code in words; the code itself where there are none."""
    told = WORDS.get(code)
    return code if told is None else told[0 if language == "it" else 1]
