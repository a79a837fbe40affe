"""The state of a world on a day: what is owed, what the ERP has booked, what is put down for later."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from saldo.simulation.draws import Draws
from saldo.simulation.world import days, tables
from saldo.simulation.world.behavior import METHODS, TRANSFER, Customers, Intentions, numbers
from saldo.simulation.world.books import Agenda, Table
from saldo.simulation.world.days import NEVER
from saldo.simulation.world.parameters import Parameters
from saldo.simulation.world.receipts import bank_of


@dataclass(slots=True)
class Credit:
    """A credit note or a payment on account with what is left of it."""

    line: int
    account: int
    number: str
    cents: int
    related: int | None
    is_note: bool
    tries: int = 0


@dataclass(slots=True)
class Books:
    """The tables that grow with the days."""

    invoices: Table = field(default_factory=lambda: Table(tables.INVOICES))
    installments: Table = field(default_factory=lambda: Table(tables.INSTALLMENTS))
    payments: Table = field(default_factory=lambda: Table(tables.PAYMENTS))
    payment_lines: Table = field(default_factory=lambda: Table(tables.PAYMENT_LINES))
    postings: Table = field(default_factory=lambda: Table(tables.POSTINGS))
    remittances: Table = field(default_factory=lambda: Table(tables.REMITTANCES))
    messages: Table = field(default_factory=lambda: Table(tables.MESSAGES))
    replies: Table = field(default_factory=lambda: Table(tables.REPLIES))
    disputes: Table = field(default_factory=lambda: Table(tables.DISPUTES))


class State:
    """Arrays by installment, account, customer and invoice; ``today`` is a day number.

    remaining: what the customer still means to owe, in cents. erp_open: what the ERP shows. The difference
    is what is on its way through the bank and the office. is_bound: a plan or a dispute has dated (or will
    date) the payment; no later contact may bring it forward. given_up: the day from which the office writes
    off what is open. contacts: for each customer, the days of the last contacts.
    """

    def __init__(
        self,
        p: Parameters,
        draws: Draws,
        customers: Customers,
        customer_frame: pl.DataFrame,
        payer_banks: pl.DataFrame,
        accounts: pl.DataFrame,
        invoices: pl.DataFrame,
        intentions: Intentions,
        contacts: pl.DataFrame,
    ) -> None:
        self.p, self.draws, self.customers, self.lines = p, draws, customers, intentions
        self.today = 0
        self.agenda, self.books = Agenda(), Books()
        self.banks = {use: bank_of(p, use) for use in METHODS}
        self.credits: dict[int, list[Credit]] = {}
        self.counters: dict[tuple[str, int, int], int] = {}
        self.contacts: dict[int, list[int]] = {}
        self._know_customers(customer_frame, payer_banks, contacts)
        self._know_documents(accounts, invoices)
        self.remaining = intentions.cash.copy()
        self.erp_open = intentions.cash.copy()
        self.is_bound = np.zeros(len(intentions.cash), dtype=np.bool_)
        self.is_returned = np.zeros(len(intentions.cash), dtype=np.bool_)
        wait = draws.whole(
            "office/gives up", *p.postings.insolvent_after_days, np.arange(customer_frame.height)
        )
        insolvent = np.where(customers.insolvency < NEVER, customers.insolvency + wait, NEVER)
        self.given_up = np.minimum(intentions.due + p.postings.old_after_days, insolvent[intentions.customer])

    def _know_customers(self, frame: pl.DataFrame, payer_banks: pl.DataFrame, contacts: pl.DataFrame) -> None:
        """Who they are and who pays for them."""
        # As banks print names.
        self.names = [name.upper().replace(".", "") for name in frame["name"].to_list()]
        self.languages = frame["language"].to_list()
        self.is_foreign = (frame["country"] != "IT").to_numpy()
        self.styles = frame["reference_style"].to_list()
        self.habits = frame["remittance_habit"].to_list()
        self._parent = frame["paid_by"].cast(pl.Int64).fill_null(-1).to_numpy()
        self._merged = frame["merged_into"].cast(pl.Int64).fill_null(-1).to_numpy()
        self._merged_day = numbers(frame["merged_date"])
        self._ibans = _by_customer(payer_banks)
        self._has_pec = (frame["pec"] != "").to_numpy()
        self._has_email, self.left_day = _mailboxes(contacts, frame.height)

    def _know_documents(self, accounts: pl.DataFrame, invoices: pl.DataFrame) -> None:
        """Accounts, invoices, and where the lines of each stand."""
        self.company = accounts["company_id"].cast(pl.Int64).to_numpy()
        self.account_customer = accounts["customer_id"].cast(pl.Int64).to_numpy()
        self.numbers = invoices["number"].to_list()
        self.orders = invoices["order_number"].to_list()
        self.invoice_dates = invoices["date"].to_list()
        self.invoice_account = invoices["account_id"].cast(pl.Int64).to_numpy()
        self.vat_rate = invoices["vat_rate"].to_list()
        self._by_account = np.argsort(self.lines.account, kind="stable")
        self._account_starts = np.searchsorted(
            self.lines.account[self._by_account], np.arange(accounts.height + 1)
        )
        self._by_invoice_starts = np.searchsorted(self.lines.invoice, np.arange(invoices.height + 1))

    def lines_of_account(self, account: int) -> NDArray[np.int64]:
        return self._by_account[self._account_starts[account] : self._account_starts[account + 1]]

    def lines_of_invoice(self, invoice: int) -> NDArray[np.int64]:
        """Installments are numbered in order of their invoices."""
        return np.arange(self._by_invoice_starts[invoice], self._by_invoice_starts[invoice + 1])

    def payers(self, customer: NDArray[np.int64], day: int) -> NDArray[np.int64]:
        """Who pays for each customer on ``day``: its parent, who took it over, itself."""
        taken_over = self._merged_day[customer] <= day
        owner = np.where(taken_over, self._merged[customer], customer)
        parent = self._parent[owner]
        return np.where(parent >= 0, parent, owner)

    def iban(self, customer: int, day: int) -> str:
        """The bank account from which the customer pays on ``day``."""
        found = ""
        for since, iban in self._ibans.get(customer, ()):
            if since <= day or not found:
                found = iban
        return found

    def has_address(self, channel: str, customer: int) -> bool:
        """Whether a message by this channel can be sent to the customer at all."""
        known = {"email": self._has_email, "pec": self._has_pec}.get(channel)
        return known is None or bool(known[customer])

    def is_payable(self, lines: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Lines that the customer pays itself: a receipt in the bank's hands is not among them."""
        return (self.lines.method[lines] == TRANSFER) | self.is_returned[lines]

    def next_number(self, series: str, company: int, day: int) -> str:
        """Numbers of credit notes ("NC") and payments on account ("ACC") run within company and year."""
        year = int(days.year_of(day))
        key = (series, company, year)
        self.counters[key] = self.counters.get(key, 0) + 1
        return f"{series} {self.counters[key]}/{year % 100:02d}"

    # -- the ERP's books --------------------------------------------------------------------------------

    def post_later(
        self, day: int, line: int, effective: int, cents: int, kind: str, payment: int | None
    ) -> None:
        self.agenda.put(day, "post", line, effective, cents, kind, payment)

    def post(self, line: int, effective: int, cents: int, kind: str, payment: int | None) -> None:
        """Book ``cents`` (signed like the line) against a line of the ERP today."""
        if line < len(self.erp_open):
            self.erp_open[line] -= cents
        self.books.postings.add((line, self.today, effective, cents, kind, payment))

    def credit(
        self, kind: str, account: int, cents: int, day: int, related: int | None, reason: str
    ) -> Credit:
        """A new credit note or payment on account of ``cents`` (positive), dated ``day``."""
        series = "NC" if kind == "credit_note" else "ACC"
        number = self.next_number(series, int(self.company[account]), day)
        invoice = len(self.numbers) + self.books.invoices.height
        line = len(self.erp_open) + self.books.installments.height
        taxable, vat, rate = self._taxed(kind, cents, related)
        self.books.invoices.add(
            (invoice, account, kind, number, day, taxable, vat, cents, rate, 0, 0, "", related, reason)
        )
        self.books.installments.add((line, invoice, account, 1, day, -cents, -cents))
        made = Credit(line, account, number, cents, related, kind == "credit_note")
        self.credits.setdefault(account, []).append(made)
        return made

    def _taxed(self, kind: str, cents: int, related: int | None) -> tuple[int, int, float]:
        """(taxable, VAT, rate) of a credit: at the rate of the invoice that it is about."""
        if kind != "credit_note" or related is None:
            return cents, 0, 0.0
        rate = self.vat_rate[related]
        taxable = round(cents / (1 + rate))
        return taxable, cents - taxable, rate


def _mailboxes(contacts: pl.DataFrame, count: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """For each customer whether somebody has an e-mail address, and the day on which that person leaves."""
    first = contacts.filter(pl.col("email") != "").unique("customer_id", keep="first", maintain_order=True)
    ids = first["customer_id"].to_numpy()
    left = np.full(count, NEVER, dtype=np.int64)
    left[ids] = numbers(first["left_date"])
    return np.isin(np.arange(count), ids), left


def _by_customer(payer_banks: pl.DataFrame) -> dict[int, list[tuple[int, str]]]:
    found: dict[int, list[tuple[int, str]]] = {}
    rows = payer_banks.sort("customer_id", "from_date").select(
        "customer_id", pl.col("from_date").cast(pl.Int32), "iban"
    )
    for customer, since, iban in rows.iter_rows():
        found.setdefault(customer, []).append((since, iban))
    return found
