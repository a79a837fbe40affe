"""Shipped mapping profiles, one TOML file each."""
