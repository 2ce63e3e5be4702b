"""Puts what was measured into ../README.md, between its marks: `make card`.

From the files of ../default, seed_figures.json (figures.py measures the seed model) and
benchmarks/steering_default.json. A test holds that the README says what these say.
"""

from __future__ import annotations

import argparse
import json
import statistics
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import root
from benchmarks.readme import between
from benchmarks.steering.outcomes import ENOUGH as ENOUGH_TIMES
from detection import ENOUGH

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
DEFAULT = HERE.parent / "default"
SEED = HERE / "seed_figures.json"
NAMES, SCORES = HERE / "names.tsv", HERE / "detection.tsv"
STEERING = root.ROOT / "benchmarks/steering_default.json"

WIDTH = 112
NOT_MEASURED = "Not measured yet."
AIM_THEMES, AIM_PERPLEXITY = 24, 1.5

Format = Callable[[float], str]
Measured = Mapping[str, float]


def _digits(count: int) -> Format:
    return lambda value: f"{value:,.{count}f}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _millions(value: float) -> str:
    return f"{value / 1e6:.1f} M"


MODEL_ROWS: tuple[tuple[str, str, Format], ...] = (
    ("parameters", "parameters", _millions),
    ("context", "context, tokens", _digits(0)),
    ("bits_per_character", "bits a character, windows of 512 tokens", _digits(3)),
    ("bits_per_character_full_context", "bits a character, windows of the whole context", _digits(3)),
    ("bits_per_character_typographic", "bits a character of a typographic copy, read plainly", _digits(3)),
    ("bits_per_character_as_written", "bits a character of that copy, read as written", _digits(3)),
    ("distinct_1", "distinct-1 of samples", _digits(3)),
    ("distinct_2", "distinct-2", _digits(3)),
    ("distinct_3", "distinct-3", _digits(3)),
    ("repetition", "repeated 4-grams", _percent),
)
SAE_ROWS: tuple[tuple[str, str, Format], ...] = (
    ("explained_variance", "explained variance", _digits(3)),
    ("ce_score", "cross-entropy score, against zero ablation", _digits(3)),
    ("L0", "active features (L0)", _digits(1)),
    ("dead", "dead features", _percent),
    ("dense", "dense features (active in over 10 %)", _percent),
    ("shrinkage", "slope of the reconstruction (1: no shrinkage)", _digits(3)),
    ("norm_ratio", "norm of the reconstruction, of the input's", _digits(3)),
)
CATALOGUE_ROWS: tuple[tuple[str, str, Format], ...] = (
    ("named_features", "named features", _digits(0)),
    ("passage_share", "of them, of a dictionary of passages", _percent),
    ("median_detection", "median detection score", _digits(3)),
    ("steers_share", "share that steers, of those measured", _percent),
    ("presence_rose_share", "share whose presence rose", _percent),
)


def blocks(
    manifest: Mapping[str, Any], seed: Mapping[str, Any], steering: Mapping[str, Any], folder: Path
) -> dict[str, str]:
    """Mark -> what stands there. `seed` and `steering` are empty where they were not measured."""
    return {
        "sizes": sizes(manifest, folder),
        "seed": comparison(manifest, seed),
        "saes": sae_table(manifest, folder),
        "steering": steering_table(steering),
        "samples": samples(steering),
    }


def sizes(manifest: Mapping[str, Any], folder: Path) -> str:
    parts = [manifest["model"], *(entry["path"] for entry in manifest["saes"]), manifest["catalogue"]]
    found = {
        part: [name for name in manifest["files"] if name == part or name.startswith(f"{part}/")] for part in parts
    }
    rows = [[f"`{part}`", _megabytes(folder, names)] for part, names in found.items()]
    return _table(["part", "MB"], [*rows, ["all", _megabytes(folder, list(manifest["files"]))]])


def _megabytes(folder: Path, names: Sequence[str]) -> str:
    return f"{sum((folder / name).stat().st_size for name in names) / 1e6:.1f}"


def comparison(manifest: Mapping[str, Any], seed: Mapping[str, Any]) -> str:
    """The seed model against this one; of the SAEs, the token SAE that hints are read with."""
    main = next(entry for entry in manifest["saes"] if entry["grain"] == "token" and "read" in entry["roles"])
    theirs, own = seed.get("measured", {}), manifest["measured"]
    their_sae, own_sae = seed.get("saes", {}).get(main["id"], {}), main["measured"]
    rows = [_row(row, theirs, own) for row in MODEL_ROWS]
    rows += [_row((name, f"SAE `{main['id']}`: {title}", form), their_sae, own_sae) for name, title, form in SAE_ROWS]
    rows += [_row(row, theirs, own) for row in CATALOGUE_ROWS]
    return _table(["", "seed model", "this one"], rows)


def sae_table(manifest: Mapping[str, Any], folder: Path) -> str:
    entries = manifest["saes"]
    configs = [json.loads((folder / entry["path"] / "cfg.json").read_text("utf-8")) for entry in entries]
    rows = [
        ["of", *(f"{entry['grain']}s" for entry in entries)],
        ["for", *(", ".join(entry["roles"]) for entry in entries)],
        ["architecture", *(config["architecture"] for config in configs)],
        ["features", *(f"{config['d_sae']:,}" for config in configs)],
        *(_row(row, *(entry["measured"] for entry in entries)) for row in SAE_ROWS),
    ]
    return _table(["", *(f"`{entry['id']}`" for entry in entries)], rows)


def steering_table(content: Mapping[str, Any]) -> str:
    """Every theme, those that failed too."""
    if not content:
        return NOT_MEASURED
    settings = content["settings"]
    heads = ["theme", "feature", "words in 100 at 0", "0.5", "1", "1 against 0 (90 %)", "unnamed", "random"]
    heads += ["other theme", "presence at 0", "1", "perplexity", "distinct-2 at 0", "1"]
    rows = [_theme(theme) for theme in content["themes"]]
    rows += [[each["theme"], f"none: {each['reason']}", *["-"] * (len(heads) - 2)] for each in content["failed"]]
    told = [
        f"{settings['samples']} texts of {settings['tokens']} tokens for each theme, strength and opening; unnamed: by "
        "words that stand neither in the feature's name nor among those it is found by; random: "
        "directions drawn at random, of the same norm; other theme: these texts by the words of another theme. The "
        "interval of a ratio is a bootstrap over the texts, as if those of one opening were independent. Where the "
        "unsteered texts have none of the words, one is counted.",
        "",
        *_verdict(content["verdict"]),
    ]
    return "\n".join([_table(heads, rows), "", *told])


def _theme(theme: Mapping[str, Any]) -> list[str]:
    plain, half, full = theme["unsteered"], theme["steered"]["0.5"], theme["steered"]["1"]
    score, level = full["score"], full["level"]
    return [
        theme["theme"],
        theme["found"]["name"],
        *(f"{each['score_rate']:.2f}" for each in (plain, half["level"], level)),
        f"× {score['value']:.1f} ({score['low']:.1f} to {score['high']:.1f})",
        "-" if theme["unnamed"] is None else f"× {theme['unnamed']['value']:.1f}",
        f"× {theme['random']['score']['value']:.1f}",
        f"× {theme['shuffled']['value']:.1f}",
        *(f"{each['presence']:.2f}" for each in (plain, level)),
        f"× {full['perplexity']['value']:.2f}",
        *(f"{each['distinct_bigrams']:.2f}" for each in (plain, level)),
    ]


def _verdict(verdict: Mapping[str, Any] | None) -> list[str]:
    if verdict is None:
        return ["No theme could be steered toward."]
    full = verdict["peers"]["strength 1"]
    reached = [
        f"{ENOUGH_TIMES:g} times or more on {AIM_THEMES} themes ({_reached(full['reached'] >= AIM_THEMES)})",
        f"a median perplexity of × {AIM_PERPLEXITY:g} ({_reached(full['perplexity'] <= AIM_PERPLEXITY)})",
    ]
    told = [_peer(name, peer, verdict["n_themes"]) for name, peer in verdict["peers"].items()]
    return [*told, "", f"The aim at strength 1 was {' at '.join(reached)}."]


def _reached(is_so: bool) -> str:
    return "reached" if is_so else "not reached"


def _peer(name: str, peer: Mapping[str, Any], themes: int) -> str:
    perplexity = "" if peer["perplexity"] is None else f", of the perplexity × {peer['perplexity']:.2f}"
    return (
        f"- {name}: median ratio of the rate of the theme's words × {peer['score']:.2f}{perplexity}; "
        f"{ENOUGH_TIMES:g} times or more on {peer['reached']} of {themes} themes, on {peer['reached_surely']} of them "
        "with the whole interval above 1."
    )


def samples(content: Mapping[str, Any]) -> str:
    """Before and after, as they came."""
    if not content:
        return NOT_MEASURED
    names = {theme["theme"]: theme["found"]["name"] for theme in content["themes"]}
    shown = []
    for sample in content["samples"]:
        head = f"{sample['theme']}, ‹{names[sample['theme']]}›" if sample["theme"] in names else sample["theme"]
        after = "no feature was found that steers" if sample["after"] is None else sample["after"]
        lines = [_filled("", sample["opening"]), _filled("0", sample["before"]), _filled("1", after)]
        shown.append("\n".join([head, *lines]))
    return "```\n" + "\n\n".join(shown) + "\n```"


def _filled(label: str, text: str) -> str:
    return textwrap.fill(" ".join(text.split()), WIDTH, initial_indent=f"  {label:3}", subsequent_indent=" " * 5)


def _row(row: tuple[str, str, Format], *columns: Measured) -> list[str]:
    name, title, form = row
    return [title, *(form(column[name]) if name in column else "-" for column in columns)]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def shipped() -> dict[str, str]:
    """The blocks of what lies in the repository."""
    contents = [json.loads(file.read_text("utf-8")) if file.is_file() else {} for file in (SEED, STEERING)]
    manifest = json.loads((DEFAULT / "manifest.json").read_text("utf-8"))
    found = blocks(manifest, *contents, DEFAULT)
    lines = [file.read_text("utf-8").splitlines() for file in (NAMES, SCORES)]
    given, judged = ([line.split("\t") for line in table if not line.startswith("#")] for table in lines)
    shown = round(manifest["measured"]["named_features"] * manifest["measured"]["passage_share"])
    return found | {"names": names(len(given), [float(score) for _, _, score in judged], shown)}


def names(given: int, scores: Sequence[float], shown: int) -> str:
    """What became of the names that were given."""
    kept = [score for score in scores if score >= ENOUGH]
    rows = [
        ["features named", f"{given:,}"],
        ["names judged", f"{len(scores):,}"],
        [f"names that reached {ENOUGH}", f"{len(kept):,}"],
        ["of those, shown (of features of one name, the best judged)", f"{shown:,}"],
        ["median balanced accuracy of all that were judged", f"{statistics.median(scores):.2f}"],
        [f"of those that reached {ENOUGH}", f"{statistics.median(kept):.2f}"],
    ]
    return _table(["", ""], rows)


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    text = README.read_text(encoding="utf-8")
    for mark, content in shipped().items():
        text = between(text, mark, content)
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
