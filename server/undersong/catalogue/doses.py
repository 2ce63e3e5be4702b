"""Calibrated doses, kept on this machine: what strength 1.0 means for a feature is measured once per set of weights.

A small SQLite file. Several engines may write it at once: each dose is one short transaction, and a writer waits for
another. It is a cache, so nothing that is wrong with the file stops anything: a broken one is moved aside and a new
one begun, and where none can be written the doses live as long as the process. `problem` says so.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from threading import Lock

from undersong.wire import Dose

BUSY_SECONDS = 5.0
_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS dose (
    fingerprint TEXT NOT NULL,
    feature TEXT NOT NULL,
    norm REAL NOT NULL,
    activation REAL NOT NULL,
    kl_p95 REAL NOT NULL,
    PRIMARY KEY (fingerprint, feature)
) WITHOUT ROWID
"""
_GET = "SELECT norm, activation, kl_p95 FROM dose WHERE fingerprint = ? AND feature = ?"
_ALL = "SELECT feature, norm, activation, kl_p95 FROM dose WHERE fingerprint = ? ORDER BY feature"
_PUT = "INSERT OR REPLACE INTO dose VALUES (?, ?, ?, ?, ?)"


class Doses:
    """Doses by (fingerprint of model and SAE, feature id). Safe from several threads and several processes."""

    def __init__(self, connection: sqlite3.Connection, problem: str | None = None) -> None:
        self._connection = connection
        self._lock = Lock()
        self._known: dict[tuple[str, str], Dose] = {}
        self.problem = problem

    @classmethod
    def open(cls, path: Path) -> Doses:
        """Opens or begins the file at `path`. Never raises: see `problem`."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return cls(_connect(path))
        except sqlite3.OperationalError as error:
            return cls(_connect(":memory:"), f"{path}: {error}; doses are not kept")
        except sqlite3.DatabaseError as error:
            return cls._begin_again(path, str(error))
        except OSError as error:
            return cls(_connect(":memory:"), f"{path}: {error.strerror or error}; doses are not kept")

    @classmethod
    def _begin_again(cls, path: Path, reason: str) -> Doses:
        aside = path.with_name(f"{path.name}.broken-{time.time_ns()}-{os.getpid()}")
        try:
            os.replace(path, aside)
            return cls(_connect(path), f"{path}: {reason}; moved to {aside.name}, a new one was begun")
        except FileNotFoundError:
            # Another process has moved it aside in the meantime; its new file will do.
            return cls(_connect(path), f"{path}: {reason}; another process moved it aside")
        except (OSError, sqlite3.Error) as error:
            return cls(_connect(":memory:"), f"{path}: {reason}; could not begin a new one ({error})")

    def get(self, fingerprint: str, feature: str) -> Dose | None:
        key = (fingerprint, feature)
        with self._lock:
            if key not in self._known:
                try:
                    row = self._connection.execute(_GET, key).fetchone()
                except sqlite3.Error as error:
                    self.problem = f"doses cannot be read: {error}"
                    return None
                if row is None:
                    return None
                self._known[key] = Dose(*row)
            return self._known[key]

    def of(self, fingerprint: str) -> dict[str, Dose]:
        """Feature id -> dose, of all that were measured with these weights."""
        with self._lock:
            try:
                rows = self._connection.execute(_ALL, (fingerprint,)).fetchall()
            except sqlite3.Error as error:
                self.problem = f"doses cannot be read: {error}"
                rows = []
            stored = {feature: Dose(*numbers) for feature, *numbers in rows}
            return stored | {feature: dose for (owner, feature), dose in self._known.items() if owner == fingerprint}

    def put(self, fingerprint: str, feature: str, dose: Dose) -> None:
        """Keeps the dose; it is known in this process even if the disk is full (`problem` says so)."""
        with self._lock:
            self._known[(fingerprint, feature)] = dose
            try:
                with self._connection:
                    self._connection.execute(_PUT, (fingerprint, feature, dose.norm, dose.activation, dose.kl_p95))
            except sqlite3.Error as error:
                self.problem = f"doses are not kept: {error}"

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def _connect(path: Path | str) -> sqlite3.Connection:
    """sqlite3.DatabaseError if the file is not a dose file of this version."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        with connection:
            # The lock is taken before looking, so that two processes do not both begin the file.
            connection.execute("BEGIN IMMEDIATE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise sqlite3.DatabaseError(f"expected version {_VERSION}, found {version}")
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute(_GET, ("", "")).fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
