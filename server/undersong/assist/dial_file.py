"""`.undersong.toml` as text: read it, or answer it with one pin or silenced feature more or less.

Comments, order, spacing and line endings of what is there stay as they are. A feature is pinned or silenced, not
both: each edit that adds one takes the other away.

    silence = ["the weather"]

    [features]
    grief = 0.8          # pinned: always shown, steered toward at 0.8
    "3.1042" = -0.5
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import MutableMapping, MutableSequence
from typing import Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError

from undersong.assist.kinds import shown
from undersong.assist.settings import STRENGTH
from undersong.errors import BadSetting, BadStrength

FILE_NAME = ".undersong.toml"


def read(text: str) -> dict[str, object]:
    """The file as plain data. Raises BadSetting, naming the line, when it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise BadSetting(f"{FILE_NAME} cannot be read, {_located(str(problem), text)}") from None


def with_pin(text: str, name: str, strength: float) -> str:
    """`name` pinned at `strength`, whether or not it was. Raises BadSetting, BadStrength."""
    strength = _checked(name, strength)
    document = _parsed(text)
    _remove_silence(document, name)
    pins = document.get("features")
    if pins is None:
        document["features"] = pins = tomlkit.table()
    _pins(pins)[name] = strength
    return _written(document, text)


def without_pin(text: str, name: str) -> str:
    """`name` no longer pinned; the text unchanged if it was not. Raises BadSetting."""
    document = _parsed(text)
    if not _remove_pin(document, name):
        return text
    return _written(document, text)


def with_strength(text: str, name: str, strength: float) -> str:
    """A pin that is there, turned to `strength`. Raises BadSetting (not pinned, unreadable), BadStrength."""
    strength = _checked(name, strength)
    document = _parsed(text)
    if name not in _pins(document.get("features", {})):
        raise BadSetting(f"features.{shown(name)}: not pinned in {FILE_NAME}, so its strength cannot be set")
    _pins(document["features"])[name] = strength
    return _written(document, text)


def with_silence(text: str, name: str) -> str:
    """`name` silenced. Raises BadSetting."""
    document = _parsed(text)
    _remove_pin(document, name)
    silence = document.get("silence")
    if silence is None:
        document["silence"] = silence = tomlkit.array()
    names = _silence(silence)
    if name not in names:
        names.append(name)
    return _written(document, text)


def without_silence(text: str, name: str) -> str:
    """`name` no longer silenced; the text unchanged if it was not. Raises BadSetting."""
    document = _parsed(text)
    if not _remove_silence(document, name):
        return text
    return _written(document, text)


def _checked(name: str, strength: object) -> float:
    try:
        return STRENGTH.take(strength)
    except ValueError as problem:
        raise BadStrength(f"features.{shown(name)}: {problem}") from None


def _parsed(text: str) -> MutableMapping[str, Any]:
    read(text)  # the one source of error messages; tomlkit's differ and miss duplicate keys here and there
    try:
        return tomlkit.parse(text)
    except TOMLKitError as problem:
        raise BadSetting(f"{FILE_NAME} cannot be edited: {problem}") from None


def _pins(features: object) -> MutableMapping[str, object]:
    if isinstance(features, MutableMapping):
        return cast("MutableMapping[str, object]", features)
    raise BadSetting(f"features: expected a table of features and strengths in {FILE_NAME}, found {shown(features)}")


def _silence(silence: object) -> MutableSequence[str]:
    if isinstance(silence, MutableSequence):
        return cast("MutableSequence[str]", silence)
    raise BadSetting(f"silence: expected a list of features in {FILE_NAME}, found {shown(silence)}")


def _remove_pin(document: MutableMapping[str, Any], name: str) -> bool:
    pins = document.get("features")
    if pins is None or name not in _pins(pins):
        return False
    del _pins(pins)[name]
    return True


def _remove_silence(document: MutableMapping[str, Any], name: str) -> bool:
    silence = document.get("silence")
    if silence is None or name not in _silence(silence):
        return False
    names = _silence(silence)
    while name in names:
        names.remove(name)
    return True


def _written(document: MutableMapping[str, Any], before: str) -> str:
    text = tomlkit.dumps(document)  # pyright: ignore[reportUnknownMemberType]
    # tomlkit ends the lines it adds with LF. In a file that has only CRLF they follow suit.
    if "\r\n" in before and not re.search(r"(?<!\r)\n", before):
        text = re.sub(r"(?<!\r)\n", "\r\n", text)
    return text


def _located(problem: str, text: str) -> str:
    """`line 3, column 5: ...` from tomllib's message, which has the place at its end."""
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", problem, re.DOTALL)
    if found is None:
        return problem
    what = found[1][:1].lower() + found[1][1:]
    if found[2] is None:
        return f"line {max(1, len(text.splitlines()))}: {what}"
    return f"line {found[2]}, column {found[3]}: {what}"
