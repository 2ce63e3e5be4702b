"""Tables about features, and the weights they are about.

    python feature_tables.py TABLE [--out FOLDER]     binds TABLE to the SAEs of FOLDER

A line has three fields with tabs between, the first a feature (p3.17). A line

    # p3: sae_weights.safetensors SHA-256

says of which weights the features of an SAE are: made anew, they come in another order. An SAE without such a line is
not bound, and what is said of its features is believed of any weights.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from manifest import read_saes
from whole_files import written_whole

WEIGHTS = "sae_weights.safetensors"
FIELDS = 3

_HEADER = re.compile(rf"# (\S+): {re.escape(WEIGHTS)} ([0-9a-f]{{64}})")
_FEATURE = re.compile(r"([^\s.]+)\.\d+")


@dataclass(frozen=True, slots=True)
class Line:
    """`where`: file and number, for complaints; `fields`: the feature and two more."""

    where: str
    fields: tuple[str, str, str]


def headers(saes: Mapping[str, Path]) -> list[str]:
    """`saes`: id -> folder."""
    return [f"# {sae}: {WEIGHTS} {_digest(folder)}" for sae, folder in saes.items()]


def bind(file: Path, saes: Mapping[str, Path]) -> None:
    """Puts the headers of `saes` before the table, in place of those it had."""
    old = file.read_text(encoding="utf-8").splitlines()
    write_lines(file, headers(saes), [line for line in old if not _HEADER.fullmatch(line)])


def write_lines(file: Path, heads: Sequence[str], lines: Sequence[str]) -> None:
    with written_whole(file) as part:
        part.write_text("".join(f"{line}\n" for line in [*heads, *lines]), encoding="utf-8")


def read_lines(file: Path, saes: Mapping[str, Path]) -> list[Line]:
    """Of the features of `saes` (id -> folder), but for those of an SAE that is bound to other weights.

    Raises SystemExit for a line that is not as above.
    """
    bound: dict[str, str] = {}
    found: list[tuple[str, Line]] = []
    for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        where = f"{file}:{number}"
        head = _HEADER.fullmatch(text)
        if head:
            bound[head[1]] = head[2]
        elif text.startswith("#") and WEIGHTS in text:
            raise SystemExit(f"{where}: expected `# ID: {WEIGHTS} SHA-256`, found {text!r}")
        elif text and not text.startswith("#"):
            found.append(_line(where, text))
    strange = {sae for sae, digest in bound.items() if sae in saes and digest != _digest(saes[sae])}
    for sae in sorted(strange):
        _say_once(f"{file}: what it says of {sae} is of other weights than {saes[sae]}: left out")
    return [line for sae, line in found if sae in saes and sae not in strange]


def _line(where: str, text: str) -> tuple[str, Line]:
    fields = tuple(text.split("\t"))
    feature = _FEATURE.fullmatch(fields[0])
    if len(fields) != FIELDS or feature is None:
        raise SystemExit(f"{where}: expected a feature and two more fields, tabs between, found {text!r}")
    return feature[1], Line(where, (fields[0], fields[1], fields[2]))


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


@cache
def _say_once(message: str) -> None:
    print(message, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "default")
    options = parser.parse_args()
    bind(options.table, read_saes(options.out))


if __name__ == "__main__":
    main()
