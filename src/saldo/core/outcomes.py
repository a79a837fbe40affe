"""What comes of a call or a visit, why an action is passed over, and why a customer says that it is late.

Codes as they are stored; their words are with the pages. Every result says what it does to the action of the
day (``STATE_OF``): it is done, or it stays to be done another time.
"""

from __future__ import annotations

from collections.abc import Mapping

# How a person reached out. What was written by hand outside Saldo is "other".
PHONE, VISIT, OTHER_CHANNEL = "phone", "visit", "other"
CHANNELS = (PHONE, VISIT, OTHER_CHANNEL)

# What came of it.
REACHED = "reached"
PROMISED = "promise"
DISPUTED = "dispute"
CALL_BACK = "call_back"
NO_ANSWER = "no_answer"
WRONG_NUMBER = "wrong_number"
ALREADY_PAID = "already_paid"
REFUSES = "refuses"
NOT_FOUND = "not_found"
RESULTS = (
    REACHED, PROMISED, DISPUTED, ALREADY_PAID, REFUSES, CALL_BACK, NO_ANSWER, WRONG_NUMBER, NOT_FOUND
)  # fmt: skip
# Somebody who answers for the customer was spoken with: this counts as a contact, the others as tries.
SPOKEN = frozenset({REACHED, PROMISED, DISPUTED, ALREADY_PAID, REFUSES, CALL_BACK})
# What each result does to the action of the day. "done": dealt with. "skipped": to be done another time.
# "note": it is as it was, and there is another number to try.
STATE_OF: Mapping[str, str] = {
    REACHED: "done", PROMISED: "done", DISPUTED: "done", ALREADY_PAID: "done", REFUSES: "done",
    CALL_BACK: "skipped", NO_ANSWER: "skipped", NOT_FOUND: "skipped", WRONG_NUMBER: "note",
}  # fmt: skip
# A try that reached nobody: how many calendar days later to try again, unless a day is named.
RETRY_DAYS: Mapping[str, int] = {NO_ANSWER: 1, WRONG_NUMBER: 0, NOT_FOUND: 7}

# Why the customer is late, in its own words.
DELAY_REASONS = (
    "cash", "dispute", "missing_document", "approval", "forgotten", "absence", "process", "bank", "other"
)  # fmt: skip

# Why a collector passes over an action. What the next ranking makes of each: docs/rules/priority.md.
SKIP_REASONS = (
    "spoke_lately", "will_pay", "wrong_moment", "sales_asks", "no_contact", "not_worth_it", "wrong_action",
    "other",
)  # fmt: skip
