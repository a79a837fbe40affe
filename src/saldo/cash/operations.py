"""Changes of cash."""
