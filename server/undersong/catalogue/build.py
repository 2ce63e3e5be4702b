"""Writes a catalogue file. The recipe of the default weights uses it, and so does labelling of one's own SAEs."""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from undersong.catalogue.queries import plain_name
from undersong.catalogue.schema import APPLICATION_ID, SCHEMA, SCHEMA_VERSION
from undersong.errors import BadInput
from undersong.wire import Dose, FeatureCard, Outcome


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One feature as it is stored.

    `card.name` is kept as a name unless it equals the id (an unnamed feature). `words` are what a writer might
    search for, space or comma separated. Only `shown` features are named in hints and found by search.
    """

    card: FeatureCard
    words: str
    shown: bool


def write_catalogue(
    path: Path, rows: Iterable[CatalogueRow], themes: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> None:
    """Writes the whole file beside `path`, then moves it there.

    `themes`: what a writer may look for -> ids of shown features that were measured to be about it, most so first.
    BadInput for a repeated id or name, a figure that is not finite, a theme's feature that is not shown.
    """
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    connection = sqlite3.connect(partial)
    try:
        connection.executescript(SCHEMA)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        with connection:
            _insert(connection, rows)
            _insert_themes(connection, themes)
        for table in ("whole", "typed"):
            connection.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")
        connection.commit()
        connection.execute("VACUUM")
    except BaseException:
        connection.close()
        partial.unlink(missing_ok=True)
        raise
    connection.close()
    os.replace(partial, path)


def _insert(connection: sqlite3.Connection, rows: Iterable[CatalogueRow]) -> None:
    sources: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        card = row.card
        name = None if card.name == card.feature else card.name
        if name is not None and name != plain_name(name):
            raise BadInput(f"{card.feature}: expected a name in lower case with single spaces, found {name!r}")
        if row.shown and name is None:
            raise BadInput(f"{card.feature}: a feature without a name cannot be shown")
        values = (
            number,
            card.feature,
            card.sae,
            name,
            row.words,
            card.provenance,
            int(row.shown),
            card.frequency,
            card.max_activation,
            json.dumps(card.promoted, ensure_ascii=False),
            json.dumps(card.suppressed, ensure_ascii=False),
            card.detection,
            None if card.steers is None else int(card.steers),
            card.output_score,
            *_dose(card.dose),
            *_outcome(card.outcome),
        )
        unsound = [value for value in values if isinstance(value, float) and not math.isfinite(value)]
        if unsound:
            raise BadInput(f"{card.feature}: expected finite figures, found {unsound[0]}")
        try:
            connection.execute(f"INSERT INTO feature VALUES ({', '.join('?' * len(values))})", values)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorname != "SQLITE_CONSTRAINT_CHECK":
                raise BadInput(f"{card.feature}: its id or its name {name!r} is in the catalogue already") from error
            raise BadInput(f"{card.feature}: expected a dose where there is an outcome, found none") from error
        for rank, passage in enumerate(card.passages):
            if passage.source not in sources:
                sources[passage.source] = len(sources) + 1
                connection.execute("INSERT INTO source VALUES (?, ?)", (sources[passage.source], passage.source))
            connection.execute(
                "INSERT INTO passage VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    rank,
                    passage.before,
                    passage.token,
                    passage.after,
                    passage.activation,
                    sources[passage.source],
                ),
            )
        if row.shown:
            for table in ("whole", "typed"):
                connection.execute(
                    f"INSERT INTO {table} (rowid, name, words) VALUES (?, ?, ?)", (number, name, row.words)
                )


def _insert_themes(connection: sqlite3.Connection, themes: Mapping[str, Sequence[str]]) -> None:
    numbers = dict(connection.execute("SELECT id, number FROM feature WHERE shown = 1"))
    for name, features in themes.items():
        missing = [feature for feature in features if feature not in numbers]
        if missing:
            raise BadInput(f"theme {name!r}: expected features that are shown, found {missing[0]}")
        for rank, feature in enumerate(features):
            connection.execute("INSERT INTO theme VALUES (?, ?, ?)", (plain_name(name), rank, numbers[feature]))


def _dose(dose: Dose | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if dose is None else (dose.norm, dose.activation, dose.kl_p95)


def _outcome(outcome: Outcome | None) -> tuple[float | None, float | None, float | None]:
    if outcome is None:
        return None, None, None
    return outcome.presence_before, outcome.presence_after, outcome.perplexity_ratio
