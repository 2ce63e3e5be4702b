"""Put sae_training.json and sae_architectures.json into docs/sae-training.md.

    python benchmarks/sae_tables.py

A test holds that the tables there are those that the files give.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.readme import ROOT, between

PAGE = ROOT / "docs/sae-training.md"
TRAINING, ARCHITECTURES = ROOT / "benchmarks/sae_training.json", ROOT / "benchmarks/sae_architectures.json"

COLUMNS = (
    ("l0", "L0", "{:.1f}"),
    ("ce_loss_score", "CE score", "{:.3f}"),
    ("explained_variance", "explained variance", "{:.3f}"),
    ("relative_reconstruction_bias", "reconstruction bias", "{:.3f}"),
    ("l2_ratio", "length ratio", "{:.3f}"),
    ("dead", "dead", "{:.1%}"),
    ("dense", "dense", "{:.1%}"),
)


def page(text: str) -> str:
    """`text` with the tables of the files that are there."""
    for mark, path, table in (("speed", TRAINING, speed), ("architectures", ARCHITECTURES, architectures)):
        if path.exists():
            text = between(text, mark, table(json.loads(path.read_text("utf-8"))))
    return text


def speed(content: dict[str, Any]) -> str:
    settings = content["settings"]
    lines = [
        "| architecture | ours, tokens/s | sae_lens, tokens/s | ratio of medians (of single blocks) |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['architecture']} | {row['ours']:,.0f} | {row['theirs']:,.0f} "
        f"| {row['ratio']:.2f} ({row['low']:.2f}-{row['high']:.2f}) |"
        for row in content["rows"]
    ]
    stated = (
        f"d {settings['d_in']}, width {settings['width']}, batch {settings['batch']}, {settings['blocks']} blocks of "
        f"{settings['steps']} steps each, {settings['threads']} threads; sae-lens {content['machine']['sae-lens']}; "
    )
    return "\n".join([*lines, "", stated + taken(content["machine"])])


def architectures(content: dict[str, Any]) -> str:
    """One row an example, kinds together, in order of L0; bold: no other example of the same place has both a smaller
    or equal L0 and a greater or equal CE score."""
    settings, rows = content["settings"], content["rows"]
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    ordered = sorted(rows, key=lambda row: (kinds.index(row["kind"]), row["l0"]))
    lines = [f"| | | {' | '.join(title for _, title, _ in COLUMNS)} |", f"|---|---|{'---|' * len(COLUMNS)}"]
    for row in ordered:
        setting = f"**{row['setting']}**" if on_front(row, rows) else row["setting"]
        cells = [form.format(row[name]) for name, _, form in COLUMNS]
        lines.append(f"| {row['kind']} | {setting} | {' | '.join(cells)} |")
    stated = (
        f"Layer {settings['layer']} of the default model, {settings['width']:,} features, {settings['tokens']:,} "
        f"tokens of training, batch {settings['batch']:,}; measured on {settings['held_out_tokens']:,} tokens of books "
        f"held out, the CE score on {settings['score_tokens']:,}; one thread each; "
    )
    return "\n".join([*lines, "", stated + taken(content["machine"])])


def on_front(row: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    """Whether no example that reads and rebuilds the same is as sparse and as good, and better in one of both."""
    alike = [other for other in rows if other["hook"] == row["hook"]]
    return not any(
        other["l0"] <= row["l0"]
        and other["ce_loss_score"] >= row["ce_loss_score"]
        and (other["l0"], other["ce_loss_score"]) != (row["l0"], row["ce_loss_score"])
        for other in alike
    )


def taken(machine: dict[str, Any]) -> str:
    return f"{machine['date']}, {machine['cores']} cores of {machine['processor']}, torch {machine['torch']}."


def main() -> None:
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
