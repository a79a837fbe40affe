"""The words of the post: channels, states of a message, what holds it back and what to do, replies, facts."""

from __future__ import annotations

from django.utils.translation import gettext_lazy, pgettext_lazy

CHANNELS = {
    "email": gettext_lazy("E-mail"),
    "pec": gettext_lazy("PEC"),
    "letter": gettext_lazy("Letter"),
    "sms": gettext_lazy("SMS"),
    "portal": gettext_lazy("Portal"),
    "call": pgettext_lazy("action", "Call"),
    "task": gettext_lazy("Task"),
}
TRACKS = {
    "soon": gettext_lazy("falls due"),
    "overdue": gettext_lazy("overdue"),
    "thanks": gettext_lazy("thanks"),
}
TONES = {
    "courtesy": gettext_lazy("courtesy"),
    "soft": gettext_lazy("soft"),
    "firm": gettext_lazy("firm"),
    "formal": gettext_lazy("formal"),
}
PURPOSES = {
    "reminder": gettext_lazy("Reminder"),
    "documents": gettext_lazy("Check of the documents"),
    "formal_notice": gettext_lazy("Formal notice (messa in mora)"),
    "thanks": gettext_lazy("Thanks"),
    "answer": gettext_lazy("Answer"),
    "statement": gettext_lazy("Statement of account"),
    "person": gettext_lazy("Written by hand"),
    "survey": gettext_lazy("Two questions"),
}
TEMPLATES = {
    "courtesy": gettext_lazy("Courtesy reminder before the due date"),
    "documents_check": gettext_lazy("Did invoice and documents arrive?"),
    "due_today": gettext_lazy("Falls due today"),
    "reminder_1": gettext_lazy("First reminder"),
    "reminder_2": gettext_lazy("Second reminder"),
    "reminder_3": gettext_lazy("Third reminder"),
    "last_reminder": gettext_lazy("Last reminder"),
    "formal_notice": gettext_lazy("Formal notice (messa in mora)"),
    "thanks": gettext_lazy("Thanks for the payment"),
    "statement": gettext_lazy("Statement of account"),
    "survey": gettext_lazy("Two questions about our service"),
}
STATES = {
    "queued": gettext_lazy("Queued"),
    "sending": gettext_lazy("Being sent"),
    "sent": pgettext_lazy("message", "Sent"),
    "failed": pgettext_lazy("message", "Failed"),
    "unknown": gettext_lazy("Outcome unknown"),
    "cancelled": gettext_lazy("Cancelled"),
    "postponed": pgettext_lazy("message", "Put off"),
    "accepted": gettext_lazy("Accepted"),
    "delivered": gettext_lazy("Delivered"),
    "bounced": pgettext_lazy("message", "Came back"),
    "complaint": gettext_lazy("Reported as spam"),
    "opened": gettext_lazy("Opened"),
    "clicked": gettext_lazy("Link followed"),
    "published": gettext_lazy("On the portal"),
    "printed": gettext_lazy("Printed"),
}
STATE_TONES = {
    "queued": "p", "sending": "p", "postponed": "w", "sent": "k", "accepted": "k", "delivered": "k",
    "opened": "k", "clicked": "k", "published": "k", "printed": "k", "failed": "l", "bounced": "l",
    "complaint": "l", "unknown": "w", "cancelled": "",
}  # fmt: skip
# What holds a message back, and what a person can do about it.
HELD_BACK = {
    "not_live": gettext_lazy("Sending is not switched on for this company"),
    "stopped": gettext_lazy("Sending is stopped"),
    "paid": gettext_lazy("Paid meanwhile"),
    "promised": gettext_lazy("The customer has promised to pay"),
    "disputed": gettext_lazy("Disputed"),
    "held": gettext_lazy("On hold"),
    "planned": gettext_lazy("In a payment plan"),
    "in_flight": gettext_lazy("RiBa or direct debit presented"),
    "cash_first": gettext_lazy("Money of the customer is still to be matched"),
    "beyond_statement": gettext_lazy("The bank statements do not reach far enough"),
    "reply_waiting": gettext_lazy("A reply of the customer waits for an answer"),
    "term_running": gettext_lazy("The term of the formal notice is still running"),
    "amount_changed": gettext_lazy("What is owed changed after it was written"),
    "below_minimum": gettext_lazy("Below the step’s minimum"),
    "no_address": gettext_lazy("No address to write to"),
    "address_stopped": gettext_lazy("Nothing may be sent to this address any more"),
    "no_consent": gettext_lazy("Consent for this channel is missing"),
    "superseded": gettext_lazy("Another message has taken its place"),
    "expired": gettext_lazy("Too old to be sent"),
    "daily_cap": gettext_lazy("The company’s messages of the day are used up"),
    "contact_cap": gettext_lazy("The customer has been written to often enough"),
    "quiet_hours": gettext_lazy("Quiet hours"),
    "holiday": gettext_lazy("Not a working day"),
}
REMEDIES = {
    "not_live": gettext_lazy("Finish the go-live list under Sending."),
    "stopped": gettext_lazy("It goes out when sending is resumed."),
    "cash_first": gettext_lazy("The cash desk looks for the payment first."),
    "beyond_statement": gettext_lazy("Import the newest bank statement."),
    "reply_waiting": gettext_lazy("Open the reply and deal with it; reminders then go on by themselves."),
    "term_running": gettext_lazy("It is planned again when the term is over; calling is always possible."),
    "no_address": gettext_lazy("Add an e-mail address or a PEC to the customer’s contacts."),
    "address_stopped": gettext_lazy(
        "Write to another contact, or release the address if that was a mistake."
    ),
    "no_consent": gettext_lazy("Record the consent on the customer’s page, or choose another channel."),
    "daily_cap": gettext_lazy("It is planned again tomorrow; the cap stands under Sending."),
    "contact_cap": gettext_lazy(
        "It is planned again when the days of rest are over; calling is always possible."
    ),
    "quiet_hours": gettext_lazy("It leaves by itself when they are over."),
    "holiday": gettext_lazy("It leaves by itself on the next working day."),
}
REPLY_LABELS = {
    "promise": gettext_lazy("Promise to pay"),
    "dispute": gettext_lazy("Dispute"),
    "paid": gettext_lazy("Says it is paid"),
    "question": gettext_lazy("Question"),
    "out_of_office": gettext_lazy("Out of office"),
    "wrong_contact": gettext_lazy("Wrong contact"),
    "opt_out": gettext_lazy("Wants no more messages"),
    "angry": gettext_lazy("Annoyed"),
    "other": gettext_lazy("Other"),
}
ACTS = {
    "promise": gettext_lazy("Record the promise"),
    "dispute": gettext_lazy("Open a dispute"),
    "paid_claim": gettext_lazy("To the cash desk: says it is paid"),
    "hold": gettext_lazy("Hold reminders"),
    "question": gettext_lazy("Question: to be answered"),
    "wrong_contact": gettext_lazy("Wrong contact: stop the address"),
    "opt_out": gettext_lazy("Stop the address"),
    "complaint": gettext_lazy("Complaint: hold and look into it"),
    "answered": gettext_lazy("Answered"),
    "nothing": gettext_lazy("Nothing to do"),
    "assigned": gettext_lazy("Given to its customer"),
    "brake": gettext_lazy("Held by itself"),
    "reopened": gettext_lazy("Taken up again"),
}
STOP_REASONS = {
    "bounced": gettext_lazy("came back"),
    "complaint": gettext_lazy("reported as spam"),
    "opt_out": gettext_lazy("wants no messages"),
    "wrong_contact": gettext_lazy("wrong contact"),
    "invalid": gettext_lazy("not a valid address"),
    "person": gettext_lazy("stopped by hand"),
    "preference": gettext_lazy("the customer asked not to be reached so"),
}
DISPUTE_REASONS = {
    "price": gettext_lazy("Price"),
    "quality": gettext_lazy("Quality"),
    "quantity": gettext_lazy("Quantity"),
    "delivery": gettext_lazy("Delivery"),
    "missing_document": gettext_lazy("Missing document"),
    "order": gettext_lazy("Order"),
    "duplicate": gettext_lazy("Invoiced twice"),
    "return": gettext_lazy("Returned goods"),
    "other": pgettext_lazy("dispute", "Other"),
}
HOLD_REASONS = {
    "agreed": gettext_lazy("Agreed with the customer"),
    "relationship": gettext_lazy("Sales or management asks to wait"),
    "documents": gettext_lazy("We owe a document or an answer"),
    "legal": gettext_lazy("Lawyers are at it"),
    "insolvency": gettext_lazy("Insolvency"),
    "complaint": gettext_lazy("Complaint"),
    "out_of_office": gettext_lazy("Out of office"),
    "other": pgettext_lazy("hold", "Other"),
}
FACT_STATES = {
    "open": pgettext_lazy("promise", "open"),
    "settled": gettext_lazy("settled"),
    "over": gettext_lazy("over"),
    "coming": gettext_lazy("still to begin"),
    "kept": gettext_lazy("kept"),
    "partially_kept": gettext_lazy("kept in part"),
    "partly_kept": gettext_lazy("kept in part"),
    "broken": gettext_lazy("broken"),
    "void": gettext_lazy("not judged"),
    "withdrawn": gettext_lazy("withdrawn"),
    "replaced": gettext_lazy("replaced"),
    "mistake": gettext_lazy("recorded by mistake"),
    "credited": gettext_lazy("credited"),
    "paid": gettext_lazy("paid after all"),
    "written_off": gettext_lazy("written off"),
    "refused": gettext_lazy("refused by us"),
    "found": gettext_lazy("found"),
    "not_found": gettext_lazy("not found"),
    "ended": gettext_lazy("ended"),
    "completed": gettext_lazy("completed"),
    "fallen": gettext_lazy("fallen through"),
}
ATTACHMENTS = {
    "statement": gettext_lazy("Statement of account"),
    "invoices": gettext_lazy("Copies of the invoices"),
}
GO_LIVE = {
    "playbook": gettext_lazy("A playbook is in force"),
    "channel": gettext_lazy("A mail server is set up"),
    "statement": gettext_lazy("Bank statements are imported"),
    "levels": gettext_lazy("Starting levels of old items are chosen"),
    "cutover": gettext_lazy("The day on which sending begins is chosen"),
}
GO_LIVE_WHY = {
    "playbook": gettext_lazy(
        "It says who is written to, when and how. A second person activates it, under Playbooks."
    ),
    "channel": gettext_lazy(
        "In channels.toml on the server: SMTP for e-mail, and PEC where you send formal notices."
    ),
    "statement": gettext_lazy("Without them Saldo would remind customers of what they have paid already."),
    "levels": gettext_lazy(
        "So that who was reminded before Saldo does not begin again with a courtesy note."
    ),
    "cutover": gettext_lazy("Until then nothing leaves, whatever is approved."),
}
CHANNEL_KINDS = {
    **CHANNELS,
    "smtp": gettext_lazy("E-mail out (SMTP)"),
    "imap": gettext_lazy("E-mail in (IMAP)"),
    "pec_smtp": gettext_lazy("PEC out"),
    "pec_imap": gettext_lazy("PEC in"),
}
BLOCK_KINDS = {
    "promised": gettext_lazy("A promise"),
    "disputed": gettext_lazy("A dispute"),
    "held": gettext_lazy("A hold"),
    "planned": gettext_lazy("A payment plan"),
}

TABLES = {
    "go_live": GO_LIVE,
    "go_live_why": GO_LIVE_WHY,
    "channel_kind": CHANNEL_KINDS,
    "block_kind": BLOCK_KINDS,
    "channel": CHANNELS,
    "track": TRACKS,
    "tone": TONES,
    "purpose": PURPOSES,
    "template": TEMPLATES,
    "delivery": STATES,
    "held_back": HELD_BACK,
    "held_remedy": REMEDIES,
    "reply": REPLY_LABELS,
    "act": ACTS,
    "stop": STOP_REASONS,
    "dispute": DISPUTE_REASONS,
    "hold": HOLD_REASONS,
    "fact": FACT_STATES,
    "attachment": ATTACHMENTS,
}
