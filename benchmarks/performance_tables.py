"""Put what was measured of speed into docs/performance.md: tables from the JSON of the benchmarks.

`make readme` runs it. A test holds that the tables there are what the JSON gives. A benchmark that was not run leaves
its place empty.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.decoding_peers import BASE, LLAMA
from benchmarks.decoding_peers.figures import variant
from benchmarks.readme import between

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs/performance.md"
Lines = list[str]


def decoding(content: dict[str, Any]) -> Lines:
    lines: Lines = []
    for name, model in content["models"].items():
        speed, settings = model["bandwidth"], model["settings"]
        lines += [
            f"**{name}**: {model['what']}; {model['weights'] / 1e6:,.1f} million weights read a token, memory read at "
            f"{speed['of_weights']:.1f} GB/s; {settings['rounds']} rounds of {settings['tokens']} tokens, "
            f"{settings['threads']} threads; up to {model['cores_busy_elsewhere']:.1f} cores busy elsewhere; "
            f"{taken(model['machine'])}.",
            "",
            "| ms a step, steered | one row | eight rows | one row, times as fast as generate + hook | eight rows | "
            "one row, times as fast as llama.cpp | share of the memory's speed | eight rows over one | "
            "steered over plain |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        lines += [_decoded(case, row) for case, row in model["peers"].items()] + [""]
    return lines[:-1]


def _decoded(case: str, row: dict[str, Any]) -> str:
    if "failed" in row:
        return f"| {case} | {row['failed']} | | | | | | | |"
    one, eight = variant(1, True), variant(8, True)
    figures, paired = row["figures"], row.get("paired", {})

    def ms(said: str) -> str:
        return f"{figures[said]['ms']:,.1f}" if said in figures else "cannot"

    def ratio(prefix: str, said: str) -> str:
        found = next((each.get(said) for of, each in row["speed_over"].items() if of.startswith(prefix)), None)
        return "" if found is None else f"{found:.2f}"

    def pair(said: str) -> str:
        return f"{paired[said]['ratio']:.2f}" if said in paired else ""

    share = row["share_of_bandwidth"].get(one)
    cells = (
        case, ms(one), ms(eight), ratio(BASE, one), ratio(BASE, eight), ratio(LLAMA, one),
        "" if share is None else f"{share:.2f}", pair("eight rows over one"), pair("steered over plain, 1 row"),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def keystroke(content: dict[str, Any]) -> Lines:
    figures = content["figures"]
    sizes = list(dict.fromkeys(size for row in figures.values() for size in row))
    lines = [f"| ms, p50 / p95 | {' | '.join(sizes)} |", "|---|" + "---|" * len(sizes)]
    for name, row in figures.items():
        lines.append(f"| {name} | {' | '.join(_cell(row.get(size)) for size in sizes)} |")
    lines += ["", "| ratio of medians | |", "|---|---|"]
    lines += [f"| {name} | {value:,.2f} |" for name, value in content["ratios"].items()]
    return [*lines, "", f"{taken(content['machine'])}."]


def reading(content: dict[str, Any]) -> Lines:
    lines = [
        "| model, SAE | width | tokens at once | model alone, tokens/s | with SAE and top features | share | SAE alone "
        "over SAELens |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in content["rows"]:
        rates, ratio = row["tokens_per_second"], row["theirs over sparse"]
        lines.append(
            f"| {row['model']}, {row['kind']} | {row['width']:,} | {row['chunk']} | {rates['model']:,.0f} | "
            f"{rates['both']:,.0f} | {row['model over both']:.2f} | {'' if ratio is None else f'{ratio:.1f}'} |"
        )
    return [*lines, "", f"{content['settings']['threads']} threads; {taken(content['machine'])}."]


def startup(content: dict[str, Any]) -> Lines:
    lines = ["| ms, p50 / p95 | |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in content["figures"].items()]
    return [*lines, "", f"{taken(content['machine'])}."]


def profiles(content: dict[str, Any]) -> Lines:
    columns = {"one keystroke": content["keystroke"]} | {
        f"one token, {name}, {rows} row{'s' if rows != '1' else ''}": found
        for name, row in content["token"].items()
        for rows, found in row.items()
    }
    lines: Lines = []
    for title, found in columns.items():
        whole = sum(us for part, us in found.items() if not part.startswith("median"))
        lines += [f"| {title} | µs | share |", "|---|---|---|"]
        lines += [
            f"| {part} | {us:,.0f} | {'' if part.startswith('median') else f'{us / whole:.0%}'} |"
            for part, us in found.items()
        ]
        lines.append("")
    return [*lines, f"{taken(content['machine'])}."]


def threads(content: dict[str, Any]) -> Lines:
    lines: Lines = []
    for name, model in content["models"].items():
        what = list(next(iter(next(iter(next(iter(model["ms"].values())).values())).values())))
        lines += [
            f"| {name}, ms: other programs, wait policy, threads | {' | '.join(what)} |",
            "|---|" + "---|" * len(what),
        ]
        for busy, waits in model["ms"].items():
            for wait, ways in waits.items():
                for way, row in ways.items():
                    cells = " | ".join(f"{row[each]:,.1f}" for each in what)
                    lines.append(f"| {busy}, {wait}, {way} | {cells} |")
        lines.append("")
    return [*lines, f"{taken(content['machine'])}."]


PLACES: dict[str, Callable[[dict[str, Any]], Lines]] = {
    "decoding": decoding,
    "keystroke": keystroke,
    "reading": reading,
    "startup": startup,
    "profiles": profiles,
    "threads": threads,
}
"""Name of the place, and of the JSON -> its lines."""


def taken(machine: dict[str, Any]) -> str:
    return f"{machine['date']}, {machine['cores']} cores of {machine['processor']}, torch {machine['torch']}"


def page(text: str) -> str:
    for name, lines in PLACES.items():
        path = ROOT / f"benchmarks/{name}.json"
        if path.exists():
            text = between(text, name, "\n".join(lines(json.loads(path.read_text(encoding="utf-8")))))
    return text


def _cell(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return ""
    return f"{figure['p50']:,.1f}" if figure["n"] == 1 else f"{figure['p50']:,.1f} / {figure['p95']:,.1f}"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    DOCS.write_text(page(DOCS.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
