"""Changes of disputes."""
