"""Whether a dose the other way takes a passage feature out of a text that is full of it (docs/decisions/0007).

For the shown passage features that steer best, the passages of books that are strongest in each are continued at
strength 0, -0.5 and -1, and what was written is read again: presence of the feature, perplexity.

    python benchmarks/steering_less.py [--features N] [--samples N]
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from benchmarks.steering.texts import desk, load_weights, nats_per_token, played, presences, turned_to
from undersong.catalogue.doses import Doses
from undersong.engine import weights
from undersong.engine.steering import find
from undersong.wire import FeatureCard

N_TOKENS = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=12)
    parser.add_argument("--samples", type=int, default=6)
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    loaded = load_weights(weights.find_default())
    cards = [loaded.catalogue.card(feature) for feature in loaded.names]
    known = [card for card in cards if card and card.outcome and card.steers and card.sae.startswith("p")]
    best = sorted(known, key=lambda card: -_gain(card))[: arguments.features]
    print(f"{'feature':28}{'0':>8}{'-0.5':>8}{'-1':>8}   perplexity × at -0.5, -1")
    with tempfile.TemporaryDirectory(prefix="us") as kept:
        doses = Doses.open(Path(kept) / "doses.sqlite")
        for card in best:
            place = desk(loaded, doses, [f"{each.before} {each.token}" for each in card.passages])
            turned = find(loaded, card.feature)
            dose = played(place.writer.dose(turned))
            sets = [
                turned_to(place, [turned], [dose], strength, arguments.samples, N_TOKENS)[0]
                for strength in (0.0, -0.5, -1.0)
            ]
            presence = [float(presences(turned, texts).mean()) for texts in sets]
            ratios = [math.exp(nats_per_token(texts) - nats_per_token(sets[0])) for texts in sets[1:]]
            shown = "".join(f"{value:8.2f}" for value in presence)
            print(f"{card.name:28}{shown}   " + " ".join(f"{ratio:.2f}" for ratio in ratios), flush=True)
        doses.close()


def _gain(card: FeatureCard) -> float:
    assert card.outcome is not None
    return card.outcome.presence_after - card.outcome.presence_before


if __name__ == "__main__":
    main()
