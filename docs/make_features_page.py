"""Makes the table of docs/rules/features.md from the dictionary: .venv/bin/python docs/make_features_page.py

A test fails when the table is out of date, so run this after every change of features.toml.
"""

from __future__ import annotations

from pathlib import Path

from saldo.analytics.features_dictionary import GROUPS, Feature, feature_dictionary

PAGE = Path(__file__).parent / "rules" / "features.md"
MARK = "<!-- Made by docs/make_features_page.py from src/saldo/analytics/features.toml. -->\n"
COLUMNS = "| Feature | Unit | From | Meaning | Significato |\n|---|---|---|---|---|\n"
HEADINGS = {
    "item": "The item",
    "calendar": "Its calendar",
    "history": "How the account has paid",
    "open_book": "What else the account owes",
    "promises": "Promises",
    "disputes": "Disputes",
    "contacts": "Contacts",
    "orders": "Orders",
}


def table() -> str:
    """The tables of all features, one per group, after the mark."""
    return MARK + "".join(_group(group) for group in GROUPS)


def _group(group: str) -> str:
    rows = [_row(feature) for feature in feature_dictionary() if feature.group == group]
    return f"\n### {HEADINGS[group]}\n\n{COLUMNS}" + "".join(rows)


def _row(feature: Feature) -> str:
    source = ", ".join(feature.sources)
    meaning = " | ".join(feature.meaning[language] for language in ("en", "it"))
    return f"| `{feature.name}` | {feature.unit} | {source} | {meaning} |\n"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    PAGE.write_text(text + table(), encoding="utf-8")
