"""The text of an offer, in the customer's words: what is kept, letter by letter, as what was accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from saldo.core.plans import PlanRule
from saldo.core.words import date_text, money_text


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """items: (document, mills, discount mills). installments, milestones, rule: of a plan; pay_by: of a
    discount."""

    company: str
    customer: str
    currency: str
    items: Sequence[tuple[str, int, int]]
    installments: Sequence[tuple[date, int]] = ()
    milestones: Sequence[tuple[date, str]] = ()
    rule: PlanRule | None = None
    pay_by: date | None = None


def offer_text(facts: OfferFacts, language: str) -> str:
    """The whole offer as plain text, in Italian or English."""
    return "\n".join(_italian(facts) if language == "it" else _english(facts))


def message_words(kind: str, language: str, text: str, link: str) -> tuple[str, str]:
    """Subject and body of the message with which an offer goes out; a person may change them."""
    if language == "it":
        subject = "Proposta di piano di rientro" if kind == "plan" else "Sconto per pagamento anticipato"
        ask = "Per leggerla e accettarla basta aprire questo indirizzo:"
        return subject, f"Buongiorno,\n\necco la nostra proposta.\n\n{text}\n\n{ask}\n{link}\n"
    subject = "Payment plan: our proposal" if kind == "plan" else "Discount for paying early"
    ask = "To read and accept it, open this address:"
    return subject, f"Good morning,\n\nhere is our proposal.\n\n{text}\n\n{ask}\n{link}\n"


def fall_words(rule: PlanRule, language: str) -> str:
    """When the plan falls, as its rule says."""
    return _falls_it(rule) if language == "it" else _falls_en(rule)


def _falls_it(rule: PlanRule) -> str:
    conditions = []
    if rule.missed_limit == 1:
        conditions.append("anche una sola rata non pagata")
    elif rule.missed_limit:
        conditions.append(f"{rule.missed_limit} rate non pagate, anche non consecutive")
    if rule.late_percent:
        conditions.append(f"un arretrato pari ad almeno il {rule.late_percent}% del totale")
    return (
        f"Ogni rata si intende non pagata se non arriva per intero entro {_days_it(rule.tolerance_days)} "
        f"dalla sua scadenza. Il piano decade per intero con {' oppure '.join(conditions)}: da quel momento "
        "l'importo residuo è dovuto subito e tutto insieme."
    )


def _falls_en(rule: PlanRule) -> str:
    conditions = []
    if rule.missed_limit == 1:
        conditions.append("a single installment unpaid")
    elif rule.missed_limit:
        conditions.append(f"{rule.missed_limit} installments unpaid at the same time, in a row or not")
    if rule.late_percent:
        conditions.append(f"at least {rule.late_percent}% of the total in arrears")
    days = "one day" if rule.tolerance_days == 1 else f"{rule.tolerance_days} days"
    return (
        f"An installment counts as unpaid if it has not come in full within {days} of its due date. The plan "
        f"falls as a whole with {' or '.join(conditions)}: what is left is then due at once."
    )


def _days_it(days: int) -> str:
    return "un giorno" if days == 1 else f"{days} giorni"


def _italian(facts: OfferFacts) -> list[str]:
    total, discount = _sums(facts)
    lines = [facts.company, f"Proposta a {facts.customer}", ""]
    lines += ["Documenti:"] + [
        f"- {number}: {money_text(mills, facts.currency, 'it')}" for number, mills, _ in facts.items
    ]
    lines += [f"Totale: {money_text(total, facts.currency, 'it')}", ""]
    if facts.pay_by is not None:
        lines.append(
            f"Pagando {money_text(total - discount, facts.currency, 'it')} entro il "
            f"{date_text(facts.pay_by.isoformat(), 'it')} (data di accredito sul nostro conto) lo sconto è "
            f"di {money_text(discount, facts.currency, 'it')} e i documenti si considerano saldati. "
            "Oltre quella data lo sconto non spetta e resta dovuto il totale."
        )
        return lines
    lines.append("Piano di rientro:")
    lines += [
        f"- rata {number}: {money_text(mills, facts.currency, 'it')} entro il "
        f"{date_text(day.isoformat(), 'it')}"
        for number, (day, mills) in enumerate(facts.installments, start=1)
    ]
    lines += [
        f"- impegno: {text}, entro il {date_text(day.isoformat(), 'it')}" for day, text in facts.milestones
    ]
    lines += ["", fall_words(facts.rule or PlanRule(), "it")]
    lines.append(
        "Accettando, il cliente riconosce di dovere il totale indicato e si impegna a pagarlo alle scadenze "
        "del piano."
    )
    return lines


def _english(facts: OfferFacts) -> list[str]:
    total, discount = _sums(facts)
    lines = [facts.company, f"Proposal to {facts.customer}", ""]
    lines += ["Documents:"] + [
        f"- {number}: {money_text(mills, facts.currency, 'en')}" for number, mills, _ in facts.items
    ]
    lines += [f"Total: {money_text(total, facts.currency, 'en')}", ""]
    if facts.pay_by is not None:
        lines.append(
            f"If {money_text(total - discount, facts.currency, 'en')} is credited to our account by "
            f"{date_text(facts.pay_by.isoformat(), 'en')}, the discount is "
            f"{money_text(discount, facts.currency, 'en')} and the documents count as settled. After that "
            "day there is no discount and the total stays due."
        )
        return lines
    lines.append("Payment plan:")
    lines += [
        f"- installment {number}: {money_text(mills, facts.currency, 'en')} by "
        f"{date_text(day.isoformat(), 'en')}"
        for number, (day, mills) in enumerate(facts.installments, start=1)
    ]
    lines += [
        f"- commitment: {text}, by {date_text(day.isoformat(), 'en')}" for day, text in facts.milestones
    ]
    lines += ["", fall_words(facts.rule or PlanRule(), "en")]
    lines.append(
        "By accepting, the customer acknowledges that the total is owed and undertakes to pay it on the days "
        "of the plan."
    )
    return lines


def _sums(facts: OfferFacts) -> tuple[int, int]:
    return sum(mills for _, mills, _ in facts.items), sum(discount for *_, discount in facts.items)
