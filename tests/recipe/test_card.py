"""The card says what was measured."""

from __future__ import annotations

import json

import card
import pytest
from benchmarks.readme import between


def test_the_card_is_what_the_measurements_in_the_repository_give():
    text = card.README.read_text(encoding="utf-8")
    for mark, content in card.shipped().items():
        assert between(text, mark, content) == text, f"{mark}: run `make card`"


def test_the_seed_and_the_steering_were_measured():
    assert {"measured", "saes"} <= set(json.loads(card.SEED.read_text("utf-8")))
    steering = json.loads(card.STEERING.read_text("utf-8"))
    assert len(steering["themes"]) + len(steering["failed"]) == 40 and len(steering["samples"]) == 12


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "sae").mkdir()
    (tmp_path / "sae/cfg.json").write_text(json.dumps({"architecture": "jumprelu", "d_sae": 4096}))
    (tmp_path / "names.sqlite").write_bytes(b"x" * 2_000_000)
    entry = {"path": "sae", "id": "3", "grain": "token", "roles": ["read", "trace"]}
    return {
        "model": "sae",
        "measured": {"bits_per_character": 1.51234, "named_features": 412, "steers_share": 0.75},
        "saes": [{**entry, "measured": {"ce_score": 0.98765, "dead": 0.0123}}],
        "catalogue": "names.sqlite",
        "files": {"sae/cfg.json": "", "names.sqlite": ""},
    }


def test_the_seed_is_set_against_this_one_and_what_was_not_measured_is_a_dash(manifest):
    seed = {"measured": {"bits_per_character": 1.62}, "saes": {"3": {"ce_score": 0.979}}}
    rows = card.comparison(manifest, seed).splitlines()
    assert "| bits a character, windows of 512 tokens | 1.620 | 1.512 |" in rows
    assert "| SAE `3`: cross-entropy score, against zero ablation | 0.979 | 0.988 |" in rows
    assert "| SAE `3`: dead features | - | 1.2 % |" in rows
    assert "| named features | - | 412 |" in rows
    assert "| share that steers, of those measured | - | 75.0 % |" in rows


def test_every_sae_has_a_column_and_every_part_its_size(manifest, tmp_path):
    rows = card.sae_table(manifest, tmp_path).splitlines()
    assert rows[0] == "|  | `3` |" and "| for | read, trace |" in rows and "| features | 4,096 |" in rows
    assert card.sizes(manifest, tmp_path).splitlines()[-2:] == ["| `names.sqlite` | 2.0 |", "| all | 2.0 |"]


LEVEL = {"score_rate": 0.4, "presence": 0.1, "distinct_bigrams": 0.95}
FULL = {"score_rate": 1.5, "presence": 0.8, "distinct_bigrams": 0.93}
RATIO = {"value": 3.75, "low": 2.5, "high": 5.04}
STEERING = {
    "settings": {"samples": 8, "tokens": 48},
    "verdict": {
        "n_themes": 2,
        "peers": {
            "strength 1": {"reached": 1, "reached_surely": 1, "score": 3.75, "perplexity": 1.3},
            "another theme's words": {"reached": 0, "reached_surely": 0, "score": 1.0, "perplexity": None},
        },
    },
    "themes": [
        {
            "theme": "sea",
            "found": {"name": "ships and boats"},
            "unsteered": LEVEL,
            "steered": {"0.5": {"level": LEVEL}, "1": {"level": FULL, "score": RATIO, "perplexity": {"value": 1.3}}},
            "random": {"score": {"value": 0.9}},
            "shuffled": {"value": 1.0},
            "unnamed": {"value": 2.2},
        }
    ],
    "failed": [{"theme": "storm", "reason": "the search found no feature"}],
    "samples": [
        {"theme": "sea", "opening": "He said", "before": " that it was so.", "after": " the  ship *sank*."},
        {"theme": "storm", "opening": "She came", "before": " in.", "after": None},
    ],
}


def test_every_theme_is_in_the_table_and_those_that_failed_say_why():
    text = card.steering_table(STEERING)
    row = "| sea | ships and boats | 0.40 | 0.40 | 1.50 | × 3.8 (2.5 to 5.0) | × 2.2 | × 0.9 | × 1.0 | 0.10 | 0.80 |"
    assert f"{row} × 1.30 |" in text
    assert "| storm | none: the search found no feature | - |" in text
    assert "strength 1: median ratio of the rate of the theme's words × 3.75, of the perplexity × 1.30; 3 times" in text
    widths = {line.count(" | ") for line in text.splitlines() if line.startswith("|")}
    assert len(widths) == 1


@pytest.mark.parametrize(
    ("reached", "perplexity", "expected"),
    [
        (24, 1.5, "themes (reached) at a median perplexity of × 1.5 (reached)."),
        (23, 1.51, "themes (not reached) at a median perplexity of × 1.5 (not reached)."),
    ],
)
def test_the_aim_is_told_whether_it_was_reached_or_not(reached, perplexity, expected):
    full = {"reached": reached, "reached_surely": 1, "score": 3.75, "perplexity": perplexity}
    verdict = {"n_themes": 40, "peers": {"strength 1": full}}
    assert card.steering_table(STEERING | {"verdict": verdict}).endswith(expected)


def test_where_no_theme_could_be_steered_toward_it_says_so():
    text = card.steering_table(STEERING | {"verdict": None, "themes": []})
    assert "| storm | none: the search found no feature | - |" in text
    assert text.endswith("No theme could be steered toward.")


def test_samples_are_shown_as_they_came():
    assert card.samples(STEERING) == "\n".join(
        [
            "```",
            "sea, ‹ships and boats›",
            "     He said",
            "  0  that it was so.",
            "  1  the ship *sank*.",
            "",
            "storm",
            "     She came",
            "  0  in.",
            "  1  no feature was found that steers",
            "```",
        ]
    )


def test_without_a_measurement_nothing_is_claimed():
    assert card.steering_table({}) == card.samples({}) == card.NOT_MEASURED
