"""Recording promises and plans, and their ends."""
