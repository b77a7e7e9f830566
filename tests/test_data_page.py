"""The page on the columns of a built panel says what the code does: every column, its owners and its labels."""

from __future__ import annotations

import re
from pathlib import Path

from leoreturns.panel import columns, derive, traits

PAGE = Path(__file__).resolve().parents[1] / "docs" / "data.md"


def rows_of(section: str) -> dict[str, list[str]]:
    """Return the rows of a section's table by the column that they describe."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {section}", 1)[1].split("\n## ", 1)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {row[0].removesuffix(" (e)"): row[1:] for row in cells[2:]}


def owners_of(text: str) -> set[str]:
    return set(re.findall(r"DfE|HESA|HMRC|DWP", text))


def test_the_page_names_every_trait() -> None:
    page = rows_of("Traits")
    assert next(iter(page)) == columns.PERSON
    assert sorted(list(page)[1:]) == sorted([columns.COHORT, *traits.TRAITS, columns.LINKED])


def test_the_page_names_every_column_of_the_years_in_its_order() -> None:
    assert list(rows_of("Years")) == list(derive.COLUMNS)


def test_the_page_names_the_owners() -> None:
    page = rows_of("Traits") | rows_of("Years")
    for name, trait in traits.TRAITS.items():
        assert owners_of(page[name][1]) == owners_of(trait.owner), name
    for name, column in derive.COLUMNS.items():
        assert owners_of(page[name][1]) == owners_of(column.owner or ""), name


def test_the_page_names_ordered_labels() -> None:
    page = rows_of("Traits")
    for name, labels in columns.ORDERED.items():
        if name in page:
            for label in labels:
                assert str(label) in page[name][0], (name, label)
    text = PAGE.read_text(encoding="utf-8")
    for label in columns.ORDERED["main_activity"]:
        assert f'"{label}"' in text
