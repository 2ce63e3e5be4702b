"""The catalogue's tables: one SQLite file, told apart by its application id, its schema numbered by user_version.

`feature.name` is NULL for a feature nobody could name; such a feature still has a card, under its id. `number`
ties the full-text tables to `feature`. There are two of those: `whole` knows English inflections ("letters" finds
"letter"), `typed` holds the words as written, with prefix indexes, for a query that is still being typed.

The last seven columns of `feature` are what its dose was measured to be and to do (wire.Dose, wire.Outcome); a dose or
an outcome is there whole or not at all.
"""

from __future__ import annotations

APPLICATION_ID = 0x55534E47  # "USNG"
SCHEMA_VERSION = 2

SCHEMA = """
CREATE TABLE feature (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    sae TEXT NOT NULL,
    name TEXT UNIQUE,
    words TEXT NOT NULL,
    provenance TEXT NOT NULL,
    shown INTEGER NOT NULL CHECK (shown IN (0, 1) AND (shown = 0 OR name IS NOT NULL)),
    frequency REAL,
    max_activation REAL,
    promoted TEXT NOT NULL,
    suppressed TEXT NOT NULL,
    detection REAL,
    steers INTEGER CHECK (steers IN (0, 1)),
    output_score REAL,
    dose_norm REAL,
    dose_activation REAL,
    dose_kl_p95 REAL,
    presence_before REAL,
    presence_after REAL,
    perplexity_ratio REAL,
    CHECK ((dose_norm IS NULL) + (dose_activation IS NULL) + (dose_kl_p95 IS NULL) IN (0, 3)),
    CHECK ((presence_before IS NULL) + (presence_after IS NULL) + (perplexity_ratio IS NULL) IN (0, 3)),
    CHECK (presence_before IS NULL OR dose_norm IS NOT NULL)
);
CREATE INDEX feature_shown ON feature (shown, number);
CREATE TABLE source (
    number INTEGER PRIMARY KEY,
    title TEXT NOT NULL UNIQUE
);
CREATE TABLE passage (
    feature INTEGER NOT NULL REFERENCES feature (number),
    rank INTEGER NOT NULL,
    before TEXT NOT NULL,
    token TEXT NOT NULL,
    after TEXT NOT NULL,
    activation REAL NOT NULL,
    source INTEGER NOT NULL REFERENCES source (number),
    PRIMARY KEY (feature, rank)
) WITHOUT ROWID;
CREATE TABLE theme (
    name TEXT NOT NULL,
    rank INTEGER NOT NULL,
    feature INTEGER NOT NULL REFERENCES feature (number),
    PRIMARY KEY (name, rank)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE whole USING fts5 (
    name, words, content='', tokenize='porter unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE typed USING fts5 (
    name, words, content='', tokenize='unicode61 remove_diacritics 2', prefix='1 2 3'
);
"""
