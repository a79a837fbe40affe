"""Cash application: which open items a bank line pays. Pure; docs/rules/cash-application.md has the rules.

records     what goes in and comes out        policy       thresholds and tolerances of a company
references  document numbers in free text     payers       who paid: IBAN, tax code, name
amounts     which items make up an amount     differences  what a short or long amount can be
book        open items, indexed               experience   probability from confirmed matches
who         a line's payer, and for whom it pays   evidence     where a line names documents
naming      which documents a text names       candidates   ways to apply a line, before they are weighed
rates       payments in another currency       telling      reasons of proposals
engine      a line's ranked proposals
"""
