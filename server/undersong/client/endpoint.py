"""Where an engine listens on this machine, and how a front end finds it.

An engine is one per user, model, adapter, SAEs, device and version: its files are named by a hash of these, in a
folder that only the user may enter. `engine-<hash>.json` holds a wire.Endpoint (mode 0600), `.sock` is the socket,
`.lock` is held while the engine lives.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path

import platformdirs

from undersong import __version__
from undersong.errors import EngineUnavailable
from undersong.wire import Endpoint

PACKAGE = Path(__file__).resolve().parents[1]
MAX_SOCKET_PATH = 100
"""`sockaddr_un` holds 104 bytes on macOS and 108 on Linux."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Which engine a front end wants. `model` None: the default weights. `start` False: never start one. `adapter`:
    the folder of a LoRA adapter for the model. `memory_mb`: its budget of memory in MB (1 000 000 bytes), 0: automatic.

    `name` is the same for all who want the same of the same installation: another one may have other code and weights.
    How long it idles and how much memory it may take is for the one who starts it to say: two editors that differ in
    that share an engine, since two would take more than either wants.
    """

    model: str | None = None
    saes: tuple[str, ...] = ()
    device: str | None = None
    idle_minutes: float = 5.0
    start: bool = True
    adapter: str | None = None
    memory_mb: int = 0

    @property
    def name(self) -> str:
        identity = json.dumps([__version__, str(PACKAGE), self.model, self.saes, self.device, self.adapter])
        return f"engine-{blake2b(identity.encode(), digest_size=6).hexdigest()}"


def runtime_folder() -> Path:
    """The user's runtime folder for Undersong, mode 0700, made if need be. Raises EngineUnavailable."""
    asked = os.environ.get("UNDERSONG_RUNTIME_DIR")
    base = os.environ.get("XDG_RUNTIME_DIR")
    if asked:
        folder = Path(asked)
    elif base and Path(base).is_dir():
        folder = Path(base) / "undersong"
    elif sys.platform == "win32":
        folder = Path(platformdirs.user_runtime_dir("undersong", appauthor=False))
    else:
        folder = Path(tempfile.gettempdir()) / f"undersong-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise EngineUnavailable(
            f"cannot make the folder for the engine's socket, {folder}: {error.strerror}"
        ) from error
    if sys.platform != "win32" and (found.st_uid != os.getuid() or found.st_mode & 0o077):
        raise EngineUnavailable(
            f"{folder} must belong to this user alone: expected owner {os.getuid()} and mode 0700, "
            f"found owner {found.st_uid} and mode {found.st_mode & 0o777:04o}"
        )
    return folder


def log_folder() -> Path:
    """Where the engine's log goes: what happened, never the writer's text."""
    return Path(os.environ.get("UNDERSONG_LOG_DIR") or platformdirs.user_log_dir("undersong", appauthor=False))


def write_endpoint(path: Path, endpoint: Endpoint) -> None:
    """Atomically, readable by the user alone."""
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(endpoint), file)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise EngineUnavailable(f"cannot write {path}: {error.strerror}") from error


def read_endpoint(path: Path) -> Endpoint | None:
    """None where there is none, or a broken one."""
    try:
        return Endpoint(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
