"""docs/performance.md says what the JSON of the benchmarks holds."""

from __future__ import annotations

from benchmarks.performance_tables import DOCS, page


def test_the_tables_in_the_docs_are_those_that_were_measured() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert page(text) == text
