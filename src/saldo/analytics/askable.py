"""What may be asked of each open item today: its balance less what is promised, disputed, held, in a plan, in
flight or perhaps paid already. The page of the rules: docs/rules/playbooks.md.
"""

from __future__ import annotations

import polars as pl

# One row per open debit item, as a flow gathers it.
# level: the last reminder level that the item reached (0: none); last_date: the day of its last message of
# the overdue track; soon_steps: codes of the steps of the soon track that were sent about it.
ITEMS = {
    "item_id": pl.Int64,
    "account_id": pl.Int64,
    "currency": pl.String,
    "kind": pl.String,
    "balance_mills": pl.Int64,
    "due_date": pl.Date,
    "level": pl.Int64,
    "last_step": pl.String,
    "last_date": pl.Date,
    "soon_steps": pl.List(pl.String),
}
# Amounts of items that leave dunning, one row per reason and item: code is one of core.sending's PROMISED,
# DISPUTED, HELD, PLANNED, IN_FLIGHT, CASH_FIRST; mills null: the whole item. until_date: the last day on
# which it holds, null where nothing says. ref: id of the promise, dispute, hold, plan, order or claim.
BLOCKS = {
    "item_id": pl.Int64,
    "code": pl.String,
    "mills": pl.Int64,
    "until_date": pl.Date,
    "ref": pl.Int64,
}
# Money of an account that could cover what it owes: unapplied cash, credit notes left open, announced
# payments, "già pagato" without items. code: "unapplied", "credit_note", "announced", "claimed"; mills null:
# the whole account.
COVERS = {
    "account_id": pl.Int64,
    "currency": pl.String,
    "code": pl.String,
    "mills": pl.Int64,
    "ref": pl.Int64,
}
# One row per account (and currency of what it owes), for segments and conditions.
ACCOUNTS = {
    "account_id": pl.Int64,
    "currency": pl.String,
    "country": pl.String,
    "segment": pl.String,
    "class": pl.String,
    "open_mills": pl.Int64,
    "known_days": pl.Int64,
    "late_days": pl.Float64,
    "promise": pl.String,
    "has_dispute": pl.Boolean,
    "has_plan": pl.Boolean,
    "is_insolvent": pl.Boolean,
}
# What is left to ask: ITEMS with asked_mills (>= 0, <= balance) and codes (why less than the balance).
ASKABLE = {**ITEMS, "asked_mills": pl.Int64, "codes": pl.List(pl.String)}
# Messages that left, for caps, waits and fatigue: one row per message.
SENT = {
    "account_id": pl.Int64,
    "contact_id": pl.Int64,
    "address": pl.String,
    "channel": pl.String,
    "track": pl.String,
    "purpose": pl.String,
    "date": pl.Date,
}
# The ways to reach an account: one row per contact, channel and address, the best contact first (place 1).
WAYS = {
    "account_id": pl.Int64,
    "contact_id": pl.Int64,
    "name": pl.String,
    "channel": pl.String,
    "address": pl.String,
    "language": pl.String,
    "place": pl.Int64,
    "stop": pl.String,
    "has_consent": pl.Boolean,
}
# The plan of a day: one row per account, currency and track, as collection keeps it (PlaybookAction).
# items: [{item_id, asked_mills, level, level_before, due_date}]; blocked: "" or the code that holds it back;
# reasons: [{code, params}] as in the worklist (core.reasons renders them).
PLANNED_ITEM = pl.Struct(
    {
        "item_id": pl.Int64,
        "asked_mills": pl.Int64,
        "level": pl.Int64,
        "level_before": pl.Int64,
        "due_date": pl.Date,
    }
)
PLAN = {
    "account_id": pl.Int64,
    "currency": pl.String,
    "track": pl.String,
    "playbook_id": pl.Int64,
    "playbook": pl.String,
    "segment": pl.String,
    "step": pl.String,
    "level": pl.Int64,
    "channel": pl.String,
    "template": pl.String,
    "tone": pl.String,
    "mode": pl.String,
    "owner": pl.String,
    "purpose": pl.String,
    "contact_id": pl.Int64,
    "asked_mills": pl.Int64,
    "items": pl.List(PLANNED_ITEM),
    "blocked": pl.String,
    "reasons": pl.List(pl.Struct({"code": pl.String, "params": pl.String})),
}
