"""The words for codes that are stored: kinds, states, buckets, roles. One place, both languages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from saldo.core.reasons import render
from saldo.interfaces.web import call_labels, care_labels, dispute_labels, outreach_labels, playbook_labels
from saldo.interfaces.web.forecast_labels import CASH_KINDS, ENGINES, RISK_CLASSES

ITEM_KINDS = {
    "invoice": gettext_lazy("Invoice"),
    "installment": gettext_lazy("Invoice"),
    "credit_note": gettext_lazy("Credit note"),
    "debit_note": gettext_lazy("Debit note"),
    "payment": gettext_lazy("Payment"),
    "provisional_payment": gettext_lazy("Payment told by the ERP"),
    "closure": gettext_lazy("Closed, cause unknown"),
    "adjustment": gettext_lazy("Adjustment"),
    "reopening": gettext_lazy("Reopening"),
    "split_vat": gettext_lazy("Split-payment VAT"),
    "withholding": gettext_lazy("Withholding tax"),
    "write_off": gettext_lazy("Write-off"),
    "discount": gettext_lazy("Discount"),
    "fee": gettext_lazy("Fee"),
    "interest": gettext_lazy("Late interest"),
}
ACTION_KINDS = {
    "call": pgettext_lazy("action", "Call"),
    "email": gettext_lazy("E-mail"),
    "pec": gettext_lazy("PEC"),
    "letter": gettext_lazy("Letter"),
    "visit": gettext_lazy("Visit"),
    "review": gettext_lazy("Review"),
    "courtesy": gettext_lazy("Courtesy call"),
    "plan": pgettext_lazy("action", "Offer a plan"),
    "find_contact": gettext_lazy("Find a contact"),
    "escalate": gettext_lazy("Escalate"),
    "close": pgettext_lazy("action", "Decide to close"),
    "cash_desk": gettext_lazy("Cash desk"),
    "none": gettext_lazy("Wait"),
}
BLOCKS = {
    "dated": gettext_lazy("On a fixed date"),
    "value": gettext_lazy("By value"),
    "wait": gettext_lazy("Better to wait"),
}
BUCKETS = {
    "current": gettext_lazy("Not due"),
    "1-30": gettext_lazy("1–30 days"),
    "31-60": gettext_lazy("31–60 days"),
    "61-90": gettext_lazy("61–90 days"),
    ">90": gettext_lazy("Over 90 days"),
}
DELAY_CLASSES = {
    "<=0": gettext_lazy("on time"),
    "1-15": "1–15",
    "16-30": "16–30",
    "31-60": "31–60",
    "61-90": "61–90",
    ">90": "> 90",
}
OUTCOMES = {
    "done": gettext_lazy("Done"),
    "skipped": gettext_lazy("Postponed"),
    "undone": gettext_lazy("Taken back"),
    "note": gettext_lazy("Note"),
}
BATCH_STATES = {
    "queued": gettext_lazy("Waiting"),
    "running": gettext_lazy("Reading"),
    "done": gettext_lazy("Done"),
    "asks": gettext_lazy("To confirm"),
    "failed": gettext_lazy("Failed"),
}
FILE_KINDS = {
    "receivables": gettext_lazy("Invoices and payments"),
    "customers": gettext_lazy("Customers and contacts"),
    "invoices": gettext_lazy("E-invoices (FatturaPA)"),
    "fatturapa": gettext_lazy("E-invoices (FatturaPA)"),
    "bank": gettext_lazy("Bank lines"),
    "remittances": gettext_lazy("Remittance advices"),
}
ROLES = {
    "administrator": gettext_lazy("Administrator"),
    "credit_manager": gettext_lazy("Credit manager"),
    "collector": gettext_lazy("Collector"),
    "cash_specialist": gettext_lazy("Cash specialist"),
    "sales": gettext_lazy("Sales"),
    "cfo": gettext_lazy("CFO"),
    "customer_care": gettext_lazy("Customer care"),
}
RUNGS = {
    "account": gettext_lazy("from how this customer has paid"),
    "segment": gettext_lazy("from how similar customers pay"),
    "portfolio": gettext_lazy("from how all customers pay"),
    "insufficient": gettext_lazy("not enough history: assumed from general experience"),
}
CANONICAL = {
    "company_code": gettext_lazy("Company code"),
    "customer_code": gettext_lazy("Customer code"),
    "customer_name": gettext_lazy("Customer name"),
    "customer_vat": gettext_lazy("VAT number"),
    "customer_tax_code": gettext_lazy("Tax code"),
    "customer_country": gettext_lazy("Country"),
    "kind": gettext_lazy("Document type"),
    "number": gettext_lazy("Document number"),
    "document_date": gettext_lazy("Document date"),
    "due_date": gettext_lazy("Due date"),
    "terms_text": gettext_lazy("Payment terms"),
    "installment_no": gettext_lazy("Installment"),
    "currency": gettext_lazy("Currency"),
    "amount": gettext_lazy("Original amount"),
    "open": gettext_lazy("Open amount"),
    "paid": gettext_lazy("Paid amount"),
    "debit": gettext_lazy("Debit"),
    "credit": gettext_lazy("Credit"),
    "sign": gettext_lazy("Debit/credit sign"),
    "amount_mills": gettext_lazy("Original amount"),
    "open_mills": gettext_lazy("Open amount"),
    "split_vat": gettext_lazy("Split-payment VAT"),
    "split_vat_mills": gettext_lazy("Split-payment VAT"),
    "withholding": gettext_lazy("Withholding tax"),
    "withholding_mills": gettext_lazy("Withholding tax"),
    "settled_date": gettext_lazy("Settlement date"),
    "payment_method": gettext_lazy("Payment method"),
    "order_ref": gettext_lazy("Order"),
    "source_key": gettext_lazy("Id in the source"),
    "source_at": gettext_lazy("Entry date"),
    "row": gettext_lazy("Row"),
    "vat": gettext_lazy("VAT number"),
    "tax_code": gettext_lazy("Tax code"),
    "country": gettext_lazy("Country"),
    "address": gettext_lazy("Address"),
    "zip": gettext_lazy("ZIP code"),
    "city": gettext_lazy("City"),
    "province": gettext_lazy("Province"),
    "contact_name": gettext_lazy("Contact"),
    "contact_role": gettext_lazy("Role"),
    "email": gettext_lazy("E-mail"),
    "pec": gettext_lazy("PEC"),
    "phone": gettext_lazy("Phone"),
    "language": gettext_lazy("Language"),
}
BANK_COLUMNS = CANONICAL | {
    "document_date": gettext_lazy("Booked"),
    "amount_mills": gettext_lazy("Amount"),
    "customer_name": gettext_lazy("Payer"),
    "text": gettext_lazy("Text"),
}
MEASURES = {
    "dso": gettext_lazy("DSO"),
    "best_possible_dso": gettext_lazy("Best possible DSO"),
    "average_days_delinquent": gettext_lazy("Average days delinquent"),
    "overdue_share": gettext_lazy("Overdue share"),
    "cei": gettext_lazy("Collection effectiveness (CEI)"),
    "invoice_to_cash_days": gettext_lazy("From invoice to cash"),
}
DEFINITIONS = {
    "dso": gettext_lazy(
        "Days sales outstanding: open amounts incl. VAT ÷ sales incl. VAT of the last 90 days, net of credit "
        "notes, × 90. Split-payment VAT is in neither."
    ),
    "best_possible_dso": gettext_lazy(
        "The DSO if nothing were overdue: open amounts not yet due ÷ sales × 90."
    ),
    "average_days_delinquent": gettext_lazy("DSO less best possible DSO: the days that lateness costs."),
    "overdue_share": gettext_lazy("Overdue ÷ open, both gross of credits."),
    "cei": gettext_lazy(
        "(Opening receivables + sales − closing receivables) ÷ (opening receivables + sales − closing "
        "receivables not yet due)."
    ),
    "invoice_to_cash_days": gettext_lazy(
        "Days from the invoice to its payment, weighted by amount, over the invoices paid in the period."
    ),
}
MISSING = {
    "no_sales": gettext_lazy("no sales in the last 90 days"),
    "sales_unknown": gettext_lazy("not enough history: the sales of the last 90 days are not known"),
    "nothing_open": gettext_lazy("nothing is open"),
    "nothing_paid": gettext_lazy("not enough history: no payment is known"),
    "nothing_to_collect": gettext_lazy("there was nothing to collect"),
    "history_too_short": gettext_lazy("not enough history"),
    "closed_items": gettext_lazy(
        "Not enough history: the file has no paid invoices. With 24 months of them, with the day of payment, "
        "the forecasts are those of your customers instead of general experience."
    ),
    "history_months": gettext_lazy(
        "Not enough history: the paid invoices cover less than 24 months. What there is gets used; more is "
        "better."
    ),
}
CASH_STATES = {
    "open": gettext_lazy("To be matched"),
    "proposed": gettext_lazy("Proposed"),
    "auto": gettext_lazy("Matched automatically"),
    "rest": gettext_lazy("The others"),
}
CASH_GROUPS = {
    "proposed": gettext_lazy("With a proposal"),
    "open": gettext_lazy("To be matched by hand"),
    "returned": gettext_lazy("Came back"),
    "held": gettext_lazy("Statement to be released"),
    "auto": gettext_lazy("Matched automatically"),
    "confirmed": gettext_lazy("Matched by hand"),
    "other": gettext_lazy("Not from customers"),
    "out": gettext_lazy("Went out"),
}
DIFFERENCES = {
    "charges": gettext_lazy("bank charges"),
    "rounding": gettext_lazy("rounding"),
    "discount": gettext_lazy("early-payment discount"),
    "discount_late": gettext_lazy("discount taken late"),
    "withholding": gettext_lazy("withholding tax"),
    "split_vat": gettext_lazy("split-payment VAT"),
    "short": gettext_lazy("paid short"),
}
POSTINGS = {
    "match": gettext_lazy("matched"),
    "slip": gettext_lazy("Credit of a slip"),
    "return": gettext_lazy("Came back"),
    "refund": gettext_lazy("Refund"),
    "not_customer": gettext_lazy("Not a customer’s money"),
    "undo": gettext_lazy("undone"),
}
POSTING_MODES = {
    "auto": gettext_lazy("automatic"),
    "confirmed": gettext_lazy("confirmed"),
    "chosen": gettext_lazy("another proposal chosen"),
    "manual": gettext_lazy("by hand"),
}
DEDUCTIONS = {
    "unknown": gettext_lazy("reason to be asked"),
    "price": gettext_lazy("price"),
    "quantity": gettext_lazy("quantity"),
    "quality": gettext_lazy("quality"),
    "return": gettext_lazy("goods returned"),
    "discount": gettext_lazy("discount or bonus"),
    "tax": gettext_lazy("tax"),
    "charges": gettext_lazy("charges"),
}
ALIASES = {
    "iban": gettext_lazy("pays from the IBAN"),
    "name": gettext_lazy("signs as"),
    "style": gettext_lazy("writes references as"),
    "pays_for": gettext_lazy("pays for"),
}
LINE_KINDS = {
    "booked": gettext_lazy("statement"),
    "intraday": gettext_lazy("report of the day"),
    "notification": gettext_lazy("notice"),
}
CASH_AGES = {
    "0-7": gettext_lazy("up to 7 days"),
    "8-30": gettext_lazy("8–30 days"),
    "31-90": gettext_lazy("31–90 days"),
    ">90": gettext_lazy("over 90 days"),
}
TABLES: Mapping[str, Mapping[str, Any]] = {
    "risk": RISK_CLASSES,
    "engine": ENGINES,
    "cash_kind": CASH_KINDS,
    "line_kind": LINE_KINDS,
    "age": CASH_AGES,
    "cash_state": CASH_STATES,
    "cash_group": CASH_GROUPS,
    "difference": DIFFERENCES,
    "posting": POSTINGS,
    "posting_mode": POSTING_MODES,
    "deduction": DEDUCTIONS,
    "alias": ALIASES,
    "item": ITEM_KINDS,
    "action": ACTION_KINDS,
    "block": BLOCKS,
    "bucket": BUCKETS,
    "delay": DELAY_CLASSES,
    "outcome": OUTCOMES,
    "batch": BATCH_STATES,
    "file": FILE_KINDS,
    "role": ROLES,
    "rung": RUNGS,
    "column": CANONICAL,
    "bank_column": BANK_COLUMNS,
    "measure": MEASURES,
    "definition": DEFINITIONS,
    "missing": MISSING,
    **call_labels.TABLES,
    **care_labels.TABLES,
    **dispute_labels.TABLES,
    **outreach_labels.TABLES,
    **playbook_labels.TABLES,
}


def label(table: str, code: Any) -> str:
    """The word for ``code``; a code without one is shown as it is, so that nothing is hidden."""
    return str(TABLES[table].get(code, str(code).replace("_", " ")))


def reason_text(reason: Any, language: str) -> str:
    """A stored reason (its code and facts) in the reader's language; other text as it is."""
    if not isinstance(reason, Mapping):
        return str(reason)
    try:
        text = render(reason["code"], reason.get("params", {}), language)
    except KeyError:
        # Written by another version of the rules: the code is better than nothing.
        return str(reason.get("code", ""))
    return text[:1].upper() + text[1:]


def timeline_text(kind: str, params: Mapping[str, Any], money: Any, day: Any) -> str:
    """One line of an account's history. ``money`` and ``day`` format in the reader's locale."""
    if kind == "terms":
        return _("Due date of %(number)s moved from %(old)s to %(new)s") % {
            "number": params["number"], "old": day(params["first_due_date"]), "new": day(params["due_date"]),
        }  # fmt: skip
    amount = money(abs(params["amount"]), params["currency"])
    if params["items"] == 1:
        target = params["first_number"] or "–"
    else:
        target = _("%(count)d items") % {"count": params["items"]}
    values = {"amount": amount, "target": target, "number": params["number"], "days": params["late_days"]}
    if kind == "reversal":
        return _("Allocation of %(amount)s on %(target)s taken back") % values
    if kind in ("payment", "provisional_payment") and params["items"] == 1 and not params["first_number"]:
        # The debit is no document: it stands for money on account that the ERP used or gave back.
        return _("%(amount)s held on account were used or given back") % values
    if kind in ("payment", "provisional_payment"):
        if params["late_days"] is not None and params["late_days"] > 0:
            if params["items"] > 1:
                return _("Paid %(amount)s on %(target)s, up to %(days)d days late") % values
            return _("Paid %(amount)s on %(target)s, %(days)d days late") % values
        return _("Paid %(amount)s on %(target)s, on time") % values
    if kind == "credit_note":
        return _("Credit note %(number)s: %(amount)s set against %(target)s") % values
    if kind == "closure":
        return _("%(target)s vanished from the export: closed for %(amount)s, cause unknown") % values
    return f"{label('item', kind)}: {amount} · {target}"


_PLACE = re.compile(r"\b(row|line|column|object)(?= \d)")


def place_text(where: str) -> str:
    """Where in a file something was refused ("row 12", "line 3, column 5"), in the reader's language."""
    words = {"row": _("row"), "line": _("line"), "column": _("column"), "object": _("object")}
    return _PLACE.sub(lambda found: str(words[found[1]]), where)
