"""`undersong demo`: the main job without an editor.

The real server is started as a child process and spoken to as an editor speaks to it:
1. open a draft and wait for its hints;
2. search for a feature, list the code actions at one paragraph and steer it;
3. show the text before and after, with the measured effect;
4. type a sentence, show the hints that changed, and undo everything.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from undersong.errors import BadInput, BadStrength, BadText
from undersong.wire import MAX_STRENGTH, MIN_STRENGTH

SAMPLE = Path(__file__).with_name("sample.md")
LANGUAGES = {".md": "markdown", ".markdown": "markdown", ".tex": "latex", ".latex": "latex"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, default=SAMPLE, help="a draft (default: a sample)")
    parser.add_argument(
        "--toward",
        metavar="NAME=STRENGTH",
        help="a feature by name, and how far (default: what a search for food finds)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    import asyncio
    import json
    from dataclasses import asdict

    from undersong.cli.tour import Tour

    text = read_draft(arguments.file)
    toward = None if arguments.toward is None else parse_toward(arguments.toward)
    tell = _quiet if arguments.json else _aloud
    language = LANGUAGES.get(arguments.file.suffix.lower(), "plaintext")
    report = asyncio.run(Tour(arguments.file.resolve(), text, language, toward, tell).run())
    if arguments.json:
        print(json.dumps(asdict(report), ensure_ascii=False, indent=2))
    return 0


def read_draft(path: Path) -> str:
    """The text of a file as an editor would open it. Raises BadText with what was expected and found."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadText(f"{path}: cannot be read: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte {error.object[error.start]:#04x} at {error.start}"
        raise BadText(f"{path}: expected UTF-8, found {found}") from error
    if not text.strip():
        raise BadText(f"{path}: expected some prose, found an empty file")
    return text


def parse_toward(given: str) -> tuple[str, float]:
    """`NAME=STRENGTH` as name and strength. Raises BadInput, BadStrength."""
    name, equals, strength = given.rpartition("=")
    if not equals or not name.strip():
        raise BadInput(f"--toward: expected NAME=STRENGTH, as in tea and meals=0.5, found {given!r}")
    try:
        value = float(strength)
    except ValueError as error:
        raise BadStrength(f"--toward: expected a number after =, found {strength!r}") from error
    if not MIN_STRENGTH <= value <= MAX_STRENGTH:
        raise BadStrength(f"--toward: expected a strength from {MIN_STRENGTH} to {MAX_STRENGTH}, found {strength}")
    return name.strip(), value


def _aloud(line: str = "") -> None:
    print(line, flush=True)


def _quiet(line: str = "") -> None:
    pass
