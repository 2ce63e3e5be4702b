"""`undersong sae stitch A B`: which features of the wider SAE B are new, which refine A's, and the stitched SAE."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from undersong.cli.sae.progress import ProgressLine
from undersong.cli.sae.shared import add_data, add_model, add_reading, open_model, open_sae, texts_of, write_whole
from undersong.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from undersong.engine.stitching import Stitched
    from undersong.sae.base import SAE

KINDS = ("new", "refines", "dead")
MADE = ("added", "swapped")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", help="folder of an SAE")
    parser.add_argument("b", metavar="B", help="folder of a wider one that reads the same place")
    add_model(parser)
    add_data(parser)
    parser.add_argument("--out", default="stitched", metavar="FOLDER", help="where results go (default: stitched)")
    add_reading(parser)
    parser.add_argument(
        "--threshold", type=float, default=0.7, help="a feature is new below this cosine with all of A's (default: 0.7)"
    )


def run(arguments: argparse.Namespace) -> int:
    from undersong.engine.stitching import stitch
    from undersong.sae.writing import write_saelens

    if not 0 < arguments.threshold <= 1:
        raise BadInput(f"stitch: --threshold: expected a cosine above 0, at most 1; found {arguments.threshold:g}")
    model = open_model(arguments)
    a, b = open_sae(arguments.a, model, "A"), open_sae(arguments.b, model, "B")
    line = ProgressLine()
    found = stitch(
        model, a, b, texts_of(arguments.data), arguments.tokens, arguments.context, arguments.batch,
        arguments.threshold, line,
    )  # fmt: skip
    line.close()
    folder = Path(arguments.out)
    stated = described(found, arguments.threshold)
    write_whole(folder / "stitch.json", json.dumps(stated, indent=1, allow_nan=False) + "\n")
    write_whole(folder / "features.tsv", features_table(found, arguments.threshold))
    made = [name for name in found.saes if name in MADE]
    for name in made:
        sae = found.saes[name]
        write_saelens(folder / name, sae.config, tensors_of(sae), {"stitched": [arguments.a, arguments.b]})
    for text in summary(stated):
        print(text)
    print(f"written to {folder}: {', '.join(['stitch.json', 'features.tsv', *(f'{name}/' for name in made)])}")
    return 0


def tensors_of(sae: SAE) -> dict[str, Tensor]:
    """In canonical form."""
    return {name: getattr(sae, name) for name in sae.shapes}


def described(found: Stitched, threshold: float) -> dict:
    """What stitch.json holds."""
    kinds = [found.kinship.kind(n, threshold) for n in range(len(found.kinship.similarity))]
    live = [n for n, kind in enumerate(kinds) if kind != "dead"]
    effects = found.kinship.effect.tolist()
    return {
        "threshold": threshold,
        "tokens": found.kinship.tokens,
        "kinds": {kind: kinds.count(kind) for kind in KINDS},
        "effect": {
            kind: {
                "mean": _mean([effects[n] for n in live if kinds[n] == kind]),
                "lower_the_error": sum(effects[n] < 0 for n in live if kinds[n] == kind),
            }
            for kind in KINDS[:2]
        },
        "auc_of_similarity": found.auc,
        "saes": found.figures,
        "unstitched": found.unstitched,
    }


def features_table(found: Stitched, threshold: float) -> str:
    """What features.tsv holds."""
    kinship = found.kinship
    lines = ["feature\tkind\tsimilarity\tnearest in A\teffect on A's squared error a token\tdensity"]
    for n in range(len(kinship.similarity)):
        lines.append(
            f"{n}\t{kinship.kind(n, threshold)}\t{float(kinship.similarity[n]):.4f}\t{int(kinship.nearest[n])}\t"
            f"{float(kinship.effect[n]):.6g}\t{float(kinship.density[n]):.6g}"
        )
    return "\n".join(lines) + "\n"


def summary(stated: dict) -> list[str]:
    counts, effect = stated["kinds"], stated["effect"]
    lines = [
        f"B's features: {counts['new']} are new ({effect['new']['lower_the_error']} of them lower A's error), "
        f"{counts['refines']} refine A's ({effect['refines']['lower_the_error']} lower it), "
        f"{counts['dead']} never fired",
    ]
    for name, figures in stated["saes"].items():
        known = {what.replace("_", " "): value for what, value in figures.items() if value is not None}
        lines.append(f"{name}: {', '.join(f'{what} {value:.4g}' for what, value in known.items())}")
    if stated["auc_of_similarity"] is not None:
        lines.append(f"similarity tells which lower A's error: AUC {stated['auc_of_similarity']:.3f}")
    for name, figures in stated["saes"].items():
        before, after = stated["saes"]["A"]["mse"], figures["mse"]
        if name in MADE and after > before:
            lines.append(f"{name} rebuilds worse than A: a squared error of {after:.4g}, A has {before:.4g}")
    if stated["unstitched"]:
        lines.append(f"no stitched SAE was made: {stated['unstitched'].removeprefix('stitch: ')}")
    return lines


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
