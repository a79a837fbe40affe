"""Paper: letters, statements of account and copies of invoices as PDF/A, typeset by Typst."""
