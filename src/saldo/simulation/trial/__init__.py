"""The trial of collection policies: the same simulated years, worked by different rules."""
