"""Forecasts, scores and warnings judged against the truth of a simulated world."""
