"""Reading cash."""
