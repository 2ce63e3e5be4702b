"""Whether a dose the other way takes a passage feature out of a text that is full of it (docs/decisions/0007).

For the shown passage features whose presence raising raises most, the passages of books that are strongest in each are
continued at strength 0, -0.5 and -1, and what was written is read again: presence of the feature, perplexity.

    python benchmarks/steering_less.py [--features N] [--samples N]

It prints a table and writes benchmarks/steering_less.json.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from benchmarks.figures import keep, machine
from benchmarks.steering.texts import desk, load_weights, nats_per_token, played, presences, turned_to
from undersong.catalogue.doses import Doses
from undersong.engine import weights
from undersong.engine.loading import Loaded
from undersong.engine.steering import find
from undersong.wire import FeatureCard

OUT = Path(__file__).with_name("steering_less.json")
N_FEATURES, N_SAMPLES, N_TOKENS = 12, 6, 40
STRENGTHS = (0.0, -0.5, -1.0)


@dataclass(frozen=True, slots=True)
class Lowered:
    """`presence`: mean over the texts, at each of STRENGTHS. `perplexity_ratio`: at each but 0, against 0."""

    feature: str
    name: str
    presence: tuple[float, ...]
    perplexity_ratio: tuple[float, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=N_FEATURES)
    parser.add_argument("--samples", type=int, default=N_SAMPLES, help="texts for each feature, strength and passage")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    loaded = load_weights(weights.find_default())
    found = [lowered(loaded, card, arguments.samples) for card in movable(loaded)[: arguments.features]]
    settings = {"strengths": STRENGTHS, "samples": arguments.samples, "tokens": N_TOKENS}
    content = {"machine": machine(), "settings": settings, "features": [asdict(one) for one in found]}
    print(table(content))
    keep(OUT, content)


def movable(loaded: Loaded) -> list[FeatureCard]:
    """The shown passage features that steer, those whose presence raising raised most first."""
    cards = [loaded.catalogue.card(feature) for feature in loaded.names]
    known = [card for card in cards if card and card.outcome and card.steers and _is_of_passages(loaded, card)]
    return sorted(known, key=lambda card: -_gain(card))


def lowered(loaded: Loaded, card: FeatureCard, n_samples: int) -> Lowered:
    with tempfile.TemporaryDirectory(prefix="us") as kept:
        doses = Doses.open(Path(kept) / "doses.sqlite")
        place = desk(loaded, doses, [f"{passage.before} {passage.token}" for passage in card.passages])
        turned = find(loaded, card.feature)
        dose = played(place.writer.dose(turned))
        sets = [turned_to(place, [turned], [dose], strength, n_samples, N_TOKENS)[0] for strength in STRENGTHS]
        doses.close()
    return Lowered(
        card.feature,
        card.name,
        tuple(round(float(presences(turned, texts).mean()), 4) for texts in sets),
        tuple(round(math.exp(nats_per_token(texts) - nats_per_token(sets[0])), 4) for texts in sets[1:]),
    )


def table(content: dict[str, Any]) -> str:
    """Markdown."""
    rows = ["| feature | 0 | -0.5 | -1 | perplexity at -0.5 | -1 |", "|---|---|---|---|---|---|"]
    rows += [_row(each["name"], each["presence"], each["perplexity_ratio"]) for each in content["features"]]
    return "\n".join(rows)


def _row(name: str, presence: Sequence[float], ratios: Sequence[float]) -> str:
    cells = [name, *(f"{value:.2f}" for value in presence), *(f"× {ratio:.2f}" for ratio in ratios)]
    return f"| {' | '.join(cells)} |"


def _is_of_passages(loaded: Loaded, card: FeatureCard) -> bool:
    return find(loaded, card.feature).dictionary.sae.grain == "passage"


def _gain(card: FeatureCard) -> float:
    assert card.outcome is not None
    return card.outcome.presence_after - card.outcome.presence_before


if __name__ == "__main__":
    main()
