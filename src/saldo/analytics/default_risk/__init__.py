"""How likely a customer is to default: scorecard, challenger, Altman Z'', behavior, and their combination."""
