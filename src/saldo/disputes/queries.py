"""Reading disputes."""
