"""What the keystroke benchmark makes of its samples."""

from __future__ import annotations

import os

from benchmarks.elsewhere import Elsewhere
from benchmarks.figures import figure
from benchmarks.keystroke import ALL, WHOLE, compared, show
from benchmarks.sessions import proses

TYPED = "at the engine: keystroke, middle"


def rows():
    return {
        TYPED: {"1,000 words": figure([0.01, 0.02, 0.03]), "9,000 words": figure([0.02, 0.03, 0.04])},
        ALL: {"1,000 words": figure([0.2]), "9,000 words": figure([1.8])},
        WHOLE: {"1,000 words": figure([0.1])},
    }


def test_ratios_are_of_medians():
    assert compared(rows()) == {
        f"{TYPED}: 9,000 words over 1,000 words": 1.5,
        f"{ALL} over {TYPED}, 1,000 words": 10.0,
        f"{ALL} over {TYPED}, 9,000 words": 60.0,
        f"{WHOLE} over {TYPED}, 1,000 words": 5.0,
    }


def test_the_table_leaves_out_what_was_not_measured(capsys):
    show(rows(), {"interp-engine": "not measured: no module"})
    shown = capsys.readouterr().out
    assert "20.0 / 30.0" in shown and "1,800.0" in shown and "not measured: no module" in shown


def test_a_draft_is_given_by_paragraphs():
    assert proses("# A\n\nOne two.\n\nThree.\n") == ["A", "One two.", "Three."]


def test_time_of_ours_is_not_elsewhere():
    assert 0 <= Elsewhere([os.getpid()]).cores() <= 2 * (os.cpu_count() or 1)
