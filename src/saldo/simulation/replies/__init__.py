"""What the reading of replies learns from and is measured on: written by hand, and by the simulated world."""
