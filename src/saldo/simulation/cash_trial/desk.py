"""Saldo in a cash trial: the world's files in, cash applied, and a simulated desk that knows the truth.

Everything goes through the real flows and operations, with a simulated clock. Import this only after Django
is set up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

from django.db import connection

from saldo.cash.plans import MATCH, Planned
from saldo.cash.postings import post, post_not_customer, post_refund
from saldo.cash.statements import add_bank_account
from saldo.cash.undoing import undo
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.matching.records import CHARGES, ROUNDING, Difference, Share
from saldo.flows.import_documents import ImportResult, import_file
from saldo.identity.operations import ensure_company
from saldo.ledger import entries
from saldo.simulation.cash_trial.truth import MEANT, PAYS, Truth
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.trial.desk import Clock
from saldo.simulation.world.tables import Tables

ACTOR = "system:cash trial"
WRITTEN_OFF = {"charges": CHARGES, "rounding": ROUNDING}
assert set(WRITTEN_OFF) < set(MEANT)

_LINES = """
SELECT t.id, t.company_id, t.booking_date, (t.amount * 100)::bigint, t.bank_reference, t.code
  FROM cash_banktransaction t JOIN cash_statement s ON s.id = t.statement_id
 WHERE t.kind = 'booked' AND t.id > %s
   AND (NOT s.is_quarantined OR EXISTS (SELECT 1 FROM cash_statementrelease r WHERE r.statement_id = s.id))
 ORDER BY t.id
"""
_LAST = """
SELECT DISTINCT ON (p.transaction_id) p.transaction_id, p.kind, p.mode, p.account_id, p.payment_id,
       p.shares, p.differences
  FROM cash_posting p WHERE p.transaction_id = ANY(%s) ORDER BY p.transaction_id, p.sequence DESC
"""
_BEST = """
SELECT DISTINCT ON (m.transaction_id) m.transaction_id, m.id, m.kind, m.zone, m.account_id, m.shares,
       m.differences, m.probability, m.pattern
  FROM cash_matchproposal m WHERE m.transaction_id = ANY(%s) ORDER BY m.transaction_id, m.run DESC, m.rank
"""
_ITEMS = """
SELECT i.id, c.code, coalesce(v.number, p.number), i.installment_no
  FROM ledger_item i
  JOIN identity_company c ON c.id = i.company_id
  LEFT JOIN ledger_invoice v ON v.id = i.invoice_id AND i.kind IN ('installment', 'credit_note')
  LEFT JOIN ledger_payment p ON p.id = i.payment_id AND i.kind = 'payment' AND i.invoice_id IS NULL
 WHERE i.id > %s AND i.kind IN ('installment', 'credit_note', 'payment') ORDER BY i.id
"""


@dataclass(frozen=True, slots=True)
class BankLine:
    """A booked line in Saldo. reference: the bank's own, which ends in the world's payment_id."""

    id: int
    company_id: int
    booking_date: date
    cents: int
    reference: str
    code: str

    @property
    def payment_id(self) -> int:
        return int(self.reference[-10:])


@dataclass(frozen=True, slots=True)
class Best:
    """The first proposal of a line. shares and differences in mills by Saldo's items."""

    id: int
    kind: str
    zone: str
    account_id: int | None
    shares: list[dict[str, int]]
    differences: list[dict[str, Any]]
    probability: float
    pattern: str


@dataclass(frozen=True, slots=True)
class Posted:
    """The last posting of a line."""

    kind: str
    mode: str
    account_id: int | None
    payment_id: int | None
    shares: list[dict[str, int]]
    differences: list[dict[str, Any]]


@dataclass(slots=True)
class Desk:
    """One database with the world's companies. items: installment -> Saldo's item; lines: what was told."""

    clock: Clock
    day: date
    companies: dict[str, int] = field(default_factory=dict)
    items: dict[int, int] = field(default_factory=dict)
    installments: dict[int, int] = field(default_factory=dict)
    accounts: dict[int, int] = field(default_factory=dict)
    numbers: dict[int, str] = field(default_factory=dict)
    _moved: dict[int, int] = field(default_factory=dict)
    _names: dict[tuple[str, str, int], int] = field(default_factory=dict)
    _last_item: int = 0
    _last_line: int = 0

    def begin(self, day: date) -> None:
        self.day = day
        self.clock.begin(day)

    def context(self, company_id: int | None = None) -> Context:
        return Context(ACTOR, self.day, self.clock, company_id=company_id)

    def set_up(self, t: Tables) -> None:
        """Companies and their bank accounts; how the ERPs name the world's lines."""
        for code, name, vat in t.companies.select("code", "name", "vat").iter_rows():
            self.companies[code] = ensure_company(self.context(), code, name, vat_number=vat).id
        codes = dict(t.companies.select("company_id", "code").iter_rows())
        owners = {row["company_id"]: row for row in t.companies.iter_rows(named=True)}
        for bank in t.banks.iter_rows(named=True):
            owner = owners[bank["company_id"]]
            add_bank_account(
                self.context(), self.companies[owner["code"]], name=bank["name"], iban=bank["iban"],
                bic=bank["bic"], abi=bank["abi"], cab=bank["cab"], number=bank["account"], currency="EUR",
                sia=owner["sia"], creditor_id=owner["creditor_id"],
            )  # fmt: skip
        named = (
            t.installments.join(t.invoices.select("invoice_id", "number"), on="invoice_id")
            .join(t.accounts.select("account_id", "company_id"), on="account_id")
            .select("company_id", "number", "no", "installment_id")
        )
        self._names = {(codes[c], number, no): i for c, number, no, i in named.iter_rows()}
        self.numbers = {i: f"{number}#{no}" for _, number, no, i in named.iter_rows()}

    # -- what arrives ------------------------------------------------------------------------------------

    def take_list(self, code: str, file: WorldFile, mapping: str) -> ImportResult:
        """A list of documents from the ERP of company ``code``."""
        return import_file(
            self.context(self.companies[code]), PurePosixPath(file.path).name, file.data, "receivables",
            mapping, company_code=code, as_at=file.day, accept_closures=True,
        )  # fmt: skip

    def take_bank(self, file: WorldFile, kind: str = "auto") -> ImportResult | SaldoError:
        """A bank's file or an advice as it came; damaged ones are refused."""
        code = file.path.split("/")[1]
        try:
            return import_file(
                self.context(self.companies[code]), PurePosixPath(file.path).name, file.data, kind,
                company_code=code, as_at=file.day,
            )  # fmt: skip
        except SaldoError as error:
            return error

    def new_lines(self) -> list[BankLine]:
        """The booked lines that came since the last call."""
        found = [BankLine(*row) for row in _rows(_LINES, [self._last_line])]
        # A statement that waits for a person may be released later; the trial's are replaced by whole ones.
        self._last_line = max((line.id for line in found), default=self._last_line)
        return found

    def know_items(self, t: Tables) -> None:
        """Learn how Saldo calls the items that came."""
        for item, company, number, no in _rows(_ITEMS, [self._last_item]):
            self._last_item = max(self._last_item, item)
            installment = self._names.get((company, number, no))
            if installment is not None and installment not in self.items:
                self.items[installment] = item
                self.installments[item] = installment
        if len(self.accounts) < t.accounts.height:
            codes = dict(t.companies.select("company_id", "code").iter_rows())
            known = {(c, code.lstrip("0")): account for account, c, code in _rows(_ACCOUNTS, [])}
            for account, company, code in t.accounts.select("account_id", "company_id", "code").iter_rows():
                if (found := known.get((codes[company], code.lstrip("0")))) is not None:
                    self.accounts[account] = found

    def best(self, lines: Iterable[int]) -> dict[int, Best]:
        return {
            row[0]: Best(*row[1:5], _json(row[5]), _json(row[6]), *row[7:])
            for row in _rows(_BEST, [list(lines)])
        }

    def texts(self, line: int) -> tuple[str, str]:
        """What the line says, and who is named in it."""
        ((text, name),) = _rows("SELECT text, payer_name FROM cash_banktransaction WHERE id = %s", [line])
        return text, name

    def posted(self, lines: Iterable[int]) -> dict[int, Posted]:
        """Lines whose last posting stands."""
        return {
            row[0]: Posted(*row[1:5], _json(row[5]), _json(row[6]))
            for row in _rows(_LAST, [list(lines)])
            if row[1] != "undo"
        }

    # -- what the desk does --------------------------------------------------------------------------------

    def post_rightly(self, line: BankLine, truth: Truth, accounts: Sequence[int], best: Best | None) -> None:
        """Post a transfer as it was meant: ``best``, a proposal that says so, else by hand.

        accounts: whose money it may be, the likeliest first (Saldo's ids).
        """
        account = accounts[0]
        shares, differences = self._meant(truth)
        mode, proposal = "manual", None
        if best is not None and best.account_id in accounts:
            mode, proposal, account = "confirmed", best.id, best.account_id
            shares = [Share(each["item"], each["mills"]) for each in best.shares]
            differences = [Difference(each["kind"], each["item"], each["mills"]) for each in best.differences]
        planned = Planned(line.id, account, tuple(shares), tuple(differences), (), MATCH, mode, proposal, "")
        done = post(self.context(line.company_id), planned)
        self._know_payment(truth, done.payment_id)

    def learn_on_account(self, truth: Truth, posted: Posted) -> None:
        self._know_payment(truth, posted.payment_id)

    def close_rest(self, company_id: int, truth: Truth, cleared: Mapping[int, int]) -> None:
        """What a right posting left open although it was meant as paid: charges and roundings are written off
        now; of a discount it is noted on which line it stands, for the day the office gives it up."""
        rests = {item: truth.cleared(item) - cleared.get(item, 0) for item in truth.paid}
        open_ = {item: rest for item, rest in rests.items() if rest > 0}
        if truth.meant_kind in WRITTEN_OFF:
            for item, rest in open_.items():
                self.write_off(company_id, item, rest)
        elif truth.meant:
            for item in truth.meant:
                self._moved[item] = next(iter(open_), item)

    def _know_payment(self, truth: Truth, payment_id: int | None) -> None:
        """Money on account is an item of Saldo's own, which the office uses later."""
        if truth.kind == PAYS or truth.on_account is None or payment_id is None:
            return
        ((item,),) = _rows(
            "SELECT id FROM ledger_item WHERE payment_id = %s AND kind = 'payment'", [payment_id]
        )
        self.items[truth.on_account] = item
        self.installments[item] = truth.on_account

    def _meant(self, truth: Truth) -> tuple[list[Share], list[Difference]]:
        shares = [Share(self.items[line], 10 * cents) for line, cents in truth.paid.items()]
        shares += [Share(self.items[line], -10 * cents) for line, cents in truth.credits.items()]
        kind = WRITTEN_OFF.get(truth.meant_kind)
        meant = truth.meant.items() if kind else ()
        return shares, [Difference(str(kind), self.items[line], 10 * cents) for line, cents in meant]

    def take_back(self, line: BankLine) -> None:
        undo(self.context(line.company_id), line.id, "trial: wrong")

    def post_batch(self, line: BankLine, paid: dict[int, int]) -> None:
        """The credit of a slip or batch of receipts that Saldo did not book by itself."""
        shares = tuple(Share(self.items[installment], 10 * cents) for installment, cents in paid.items())
        ((account,),) = _rows("SELECT account_id FROM ledger_item WHERE id = %s", [shares[0].item_id])
        post(self.context(line.company_id), Planned(line.id, account, shares))

    def post_return(self, line: BankLine, paid: dict[int, int]) -> None:
        """A receipt or debit that came back and whose line Saldo did not book by itself. What a flow of
        outcomes has opened again before stays as it is."""
        ctx = self.context(line.company_id)
        for installment, cents in paid.items():
            day = replace(ctx, as_of=max(line.booking_date, ctx.as_of))
            try:
                entries.reverse_allocation(day, self.items[installment], _euro(-cents), "insoluto")
            except SaldoError as error:
                if error.code != "reversal_exceeds":
                    raise
        post_not_customer(ctx, line.id, "returned")

    def post_refund(self, line: BankLine, credits: Sequence[int]) -> None:
        post_refund(self.context(line.company_id), line.id, [self.items[credit] for credit in credits])

    def post_other(self, line: BankLine) -> None:
        post_not_customer(self.context(line.company_id), line.id)

    def set_off(self, company_id: int, credit: int, debit: int, cents: int) -> None:
        """The office sets a credit against an open line."""
        share = entries.Share(self.items[debit], _euro(cents))
        entries.allocate(self.context(company_id), self.items[credit], [share])

    def write_off(self, company_id: int, installment: int, cents: int) -> None:
        item = self.items[self._moved.get(installment, installment)]
        entries.write_off(self.context(company_id), item, _euro(cents), "office")


def euro() -> dict[str, Any]:
    """Of all booked lines that came in, in cents: set against items, on account, and not posted, with what
    came in; adds_up: the three are it, line by line and together."""
    ((came_in, allocated, unapplied, waiting, odd),) = _rows(_EURO, [])
    return {
        "came_in": came_in, "allocated": allocated, "on_account": unapplied, "not_posted": waiting,
        "odd_lines": odd, "adds_up": odd == 0 and came_in == allocated + unapplied + waiting,
    }  # fmt: skip


# What came back of a payment was allocated once, to its item and then to what used it up: used is both.
_EURO = """
WITH lines AS (
    SELECT t.id, t.amount, p.kind, p.payment_id
      FROM cash_banktransaction t JOIN cash_statement s ON s.id = t.statement_id
      LEFT JOIN cash_statementrelease r ON r.statement_id = s.id
      LEFT JOIN LATERAL (SELECT p.kind, p.payment_id FROM cash_posting p WHERE p.transaction_id = t.id
                          ORDER BY p.sequence DESC LIMIT 1) p ON true
     WHERE t.kind = 'booked' AND t.amount > 0 AND (NOT s.is_quarantined OR r.id IS NOT NULL)
       AND coalesce(p.kind, 'undo') IN ('match', 'undo')
), sums AS (
    SELECT l.id, l.amount, coalesce(l.kind, 'undo') = 'match' AS is_posted, -i.amount AS paid,
           coalesce((SELECT sum(coalesce(a.credit_amount, a.amount)) FROM ledger_allocation a
                      WHERE a.credit_item_id = i.id), 0) AS used
      FROM lines l LEFT JOIN ledger_item i
        ON i.payment_id = l.payment_id AND i.kind = 'payment' AND coalesce(l.kind, 'undo') = 'match'
)
SELECT coalesce(sum(amount) * 100, 0)::bigint, coalesce(sum(used) FILTER (WHERE is_posted) * 100, 0)::bigint,
       coalesce(sum(paid - used) FILTER (WHERE is_posted) * 100, 0)::bigint,
       coalesce(sum(amount) FILTER (WHERE NOT is_posted) * 100, 0)::bigint,
       count(*) FILTER (WHERE is_posted AND (paid IS DISTINCT FROM amount OR used > paid OR used < 0))
  FROM sums
"""
_ACCOUNTS = """
SELECT a.id, c.code, a.code FROM parties_customeraccount a JOIN identity_company c ON c.id = a.company_id
"""


def _euro(cents: int) -> Decimal:
    return Decimal(cents) / 100


def _rows(sql: str, params: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(params))
        return list(cursor.fetchall())


def _json(told: Any) -> list[dict[str, Any]]:
    return list(json.loads(told) if isinstance(told, str) else told)
