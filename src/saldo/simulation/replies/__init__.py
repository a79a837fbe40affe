"""What the reading of replies learns from and is measured on: hand-written replies and the world's phrasings."""
