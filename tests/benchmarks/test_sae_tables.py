"""What the SAE benchmarks wrote is what docs/sae-training.md shows, and the front in it is the front."""

from __future__ import annotations

from typing import Any

from benchmarks.sae_examples import examples
from benchmarks.sae_tables import COLUMNS, PAGE, architectures, on_front, page, speed

from undersong.cli.sae.train import reach_of
from undersong.engine.training import Reach

MACHINE = {"date": "2026-01-01", "cores": 2, "processor": "P", "torch": "2", "sae-lens": "6"}


def row(kind: str, l0: float, score: float, hook: str = "A") -> dict[str, Any]:
    return {name: 0.5 for name, _, _ in COLUMNS} | {
        "kind": kind, "setting": f"at {l0:g}", "hook": hook, "l0": l0, "ce_loss_score": score,
    }  # fmt: skip


def test_the_page_shows_what_was_measured() -> None:
    text = PAGE.read_text("utf-8")
    assert page(text) == text


def test_the_front_holds_what_nothing_else_of_its_place_beats() -> None:
    rows = [row("a", 10, 0.8), row("a", 20, 0.9), row("b", 20, 0.85), row("b", 30, 0.9), row("c", 5, 0.99, hook="B")]
    assert [on_front(each, rows) for each in rows] == [True, True, False, False, True]


def test_kinds_stand_together_in_order_of_l0_with_the_front_in_bold() -> None:
    settings = {"layer": 3, "width": 8, "tokens": 9, "batch": 1, "held_out_tokens": 2, "score_tokens": 1}
    rows = [row("b", 20, 0.9), row("a", 30, 0.8), row("b", 10, 0.7)]
    lines = architectures({"settings": settings, "rows": rows, "machine": MACHINE}).split("\n")
    assert [line.split(" | ")[:4] for line in lines[2:5]] == [
        ["| b", "**at 10**", "10.0", "0.700"], ["| b", "**at 20**", "20.0", "0.900"], ["| a", "at 30", "30.0", "0.800"],
    ]  # fmt: skip
    assert len({line.count("|") for line in lines[:5]}) == 1


def test_speeds_stand_side_by_side() -> None:
    settings = {"d_in": 4, "width": "8", "batch": "2", "blocks": "3", "steps": "5", "threads": "1"}
    found = {"architecture": "topk", "ours": 1234.5, "theirs": 1000.0, "ratio": 1.2345, "low": 1.1, "high": 1.3}
    table = speed({"settings": settings, "rows": [found], "machine": MACHINE})
    assert "| topk | 1,234 | 1,000 | 1.23 (1.10-1.30) |" in table and "sae-lens 6" in table


def test_every_kind_is_made_before_any_is_made_again_and_each_in_a_folder_of_its_own() -> None:
    made = examples(layer=3, n_layers=6)
    kinds = list(dict.fromkeys(each.kind for each in made))
    assert [each.kind for each in made[: len(kinds)]] == kinds and len(kinds) == 12
    assert len({each.name for each in made}) == len(made)
    assert all(isinstance(reach_of(each.hook), Reach) for each in made)
