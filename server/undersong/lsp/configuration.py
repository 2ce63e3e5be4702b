"""Where settings come from, the later winning: defaults, `initializationOptions`, the editor's section `undersong`
(pulled for each draft where the client can answer that, else as pushed), the nearest `.undersong.toml`, and pins
made in a draft that has no folder to keep such a file in.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.uris import from_fs_path, to_fs_path, uri_scheme

from undersong import errors
from undersong.assist import dial_file
from undersong.assist.globs import excluded
from undersong.assist.settings import Parsed, Settings, layered, parse

if TYPE_CHECKING:
    from undersong.lsp.notices import Notices
    from undersong.lsp.protocol import UndersongProtocol

SECTION = "undersong"
PULL_SECONDS = 2.0
_EMPTY = parse(None, "")


@dataclass(frozen=True, slots=True)
class _DialFile:
    """A dial file as last read. stamp: time and size; None when there was no such file. parsed: what it said when it
    could last be read."""

    stamp: tuple[int, int] | None
    parsed: Parsed


class Configuration:
    """All layers of one session."""

    def __init__(self, protocol: UndersongProtocol, notices: Notices) -> None:
        self._protocol = protocol
        self._notices = notices
        self._options = _EMPTY
        self._pushed = _EMPTY
        self._pulled: dict[str | None, Parsed] = {}
        self._dials: dict[Path, _DialFile] = {}
        self._loose_text, self._loose = "", _EMPTY
        self._reported: dict[str, frozenset[str]] = {}
        self._folders: list[Path] = []

    # --- the layers --------------------------------------------------------------------------------------------

    def set_options(self, raw: object) -> None:
        """`initializationOptions`: the same keys as everywhere else."""
        self._options = self._parsed(raw, "initializationOptions")

    def set_folders(self, uris: Iterable[str]) -> None:
        self._folders = [path for uri in uris if (path := local_path(uri)) is not None]

    def change_folders(self, added: Iterable[str], removed: Iterable[str]) -> None:
        gone = {local_path(uri) for uri in removed}
        kept = [folder for folder in self._folders if folder not in gone]
        self._folders = [*kept, *(path for uri in added if (path := local_path(uri)) is not None)]

    def push(self, raw: object) -> None:
        """`workspace/didChangeConfiguration`: all sections, or only ours, or nothing (a hint to pull)."""
        if isinstance(raw, dict):
            members = cast("dict[str, Any]", raw)
            self._pushed = self._parsed(members.get(SECTION, members), "the editor's settings")

    async def pull(self, uris: Iterable[str]) -> None:
        """Ask the client for its settings, those of the workspace and of each of these drafts."""
        if not self._protocol.profile.configuration:
            return
        scopes: list[str | None] = [None, *uris]
        items = [types.ConfigurationItem(scope_uri=scope, section=SECTION) for scope in scopes]
        try:
            answer = await asyncio.wait_for(
                self._protocol.ask(types.WORKSPACE_CONFIGURATION, types.ConfigurationParams(items)), PULL_SECONDS
            )
        except (JsonRpcException, TimeoutError):
            return
        if isinstance(answer, list):
            for scope, raw in zip(scopes, cast("list[object]", answer), strict=False):
                self._pulled[scope] = self._parsed(raw, "the editor's settings")

    def forget(self, uri: str) -> None:
        """The draft is closed."""
        self._pulled.pop(uri, None)

    def change_loose(self, change: Callable[[str], str]) -> None:
        """Dials of a session without a folder; `change` is made on what their file would hold. Raises BadSetting."""
        self._loose_text = change(self._loose_text)
        self._loose = self._parsed(dial_file.read(self._loose_text), "dials of this session")

    # --- what they come to -------------------------------------------------------------------------------------

    def settings(self, uri: str | None) -> Settings:
        """Those of one draft; None: those of the workspace, which the engine is started with."""
        pulled = self._pulled.get(uri) or self._pulled.get(None, _EMPTY)
        path = self.dial_path(uri)
        dials = _EMPTY if path is None else self._dial(path).parsed
        return layered(self._options, self._pushed, pulled, dials, self._loose)

    def excludes(self, settings: Settings, uri: str) -> bool:
        """Whether `reading.exclude` names this draft."""
        path = local_path(uri)
        if path is None:
            return False
        folder = self._folder_of(path)
        return excluded(settings, path.relative_to(folder).as_posix() if folder is not None else path.name)

    def dial_path(self, uri: str | None) -> Path | None:
        """The `.undersong.toml` that speaks for a draft: the nearest one from its folder up to the workspace's.

        Where there is none, the place for one: the workspace folder, or the draft's own folder. None for a draft
        that is not a file, in a session without folders.
        """
        path = None if uri is None else local_path(uri)
        if path is None:
            return self._folders[0] / dial_file.FILE_NAME if self._folders else None
        folder = self._folder_of(path)
        if folder is None:
            return path.parent / dial_file.FILE_NAME
        for parent in path.parents:
            if (parent / dial_file.FILE_NAME).is_file():
                return parent / dial_file.FILE_NAME
            if parent == folder:
                break
        return folder / dial_file.FILE_NAME

    def changed_on_disk(self) -> bool:
        """Read again what changed; whether anything did. For clients that do not watch files."""
        changed = {path: held for path, held in self._dials.items() if _stamp(path) != held.stamp}
        for path, held in changed.items():
            self._dials[path] = _DialFile(_stamp(path), self._read_dial(path, held.parsed))
        return bool(changed)

    def _folder_of(self, path: Path) -> Path | None:
        containing = [folder for folder in self._folders if path.is_relative_to(folder)]
        return max(containing, key=lambda folder: len(folder.parts), default=None)

    def _dial(self, path: Path) -> _DialFile:
        held = self._dials.get(path)
        if held is None:
            held = _DialFile(_stamp(path), self._read_dial(path, _EMPTY))
            self._dials[path] = held
        return held

    def _read_dial(self, path: Path, before: Parsed) -> Parsed:
        """What the file says; `before`, what it said last, while it cannot be read, which is said once: it may be
        saved again and again in the middle of a change."""
        cause = f"unreadable {path}"
        try:
            raw = dial_file.read(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raw = None
        except (OSError, UnicodeDecodeError, errors.BadSetting) as problem:
            kept = "; what it said before still holds" if before is not _EMPTY else "; it sets nothing"
            self._notices.say_once(cause, types.MessageType.Warning, f"{_unreadable(path, problem)}{kept}")
            return before
        self._notices.forget(cause)
        return self._parsed(raw, path.name, str(path))

    def _parsed(self, raw: object, source: str, place: str = "") -> Parsed:
        """One layer, what is wrong in it told. `place`: which of several of that source; each is told of by itself."""
        parsed = parse(raw, source)
        self._report(place or source, parsed)
        return parsed

    def _report(self, place: str, parsed: Parsed) -> None:
        """Say what is new since the place was last read; what was mended and broken again is new."""
        messages = [problem.message for problem in parsed.problems]
        before = self._reported.get(place, frozenset())
        for message in messages:
            if message not in before:
                self._notices.say(types.MessageType.Warning, f"{parsed.source}: {message}")
        self._reported[place] = frozenset(messages)


def local_path(uri: str) -> Path | None:
    """The path of a file URI; None for any other (untitled, remote)."""
    if uri_scheme(uri) != "file":
        return None
    path = to_fs_path(uri)
    return Path(path) if path else None


def _unreadable(path: Path, problem: OSError | UnicodeDecodeError | errors.BadSetting) -> str:
    if isinstance(problem, errors.BadSetting):
        return problem.message
    reason = "it is not UTF-8" if isinstance(problem, UnicodeDecodeError) else problem.strerror
    return f"{path.name} cannot be read: {reason}"


def path_uri(path: Path) -> str:
    return from_fs_path(str(path)) or path.as_uri()


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def folder_uris(params: dict[str, Any]) -> list[str]:
    """The workspace's folders, from the newest of the three ways to say it that the client used."""
    folders = params.get("workspaceFolders")
    if isinstance(folders, list):
        named = [cast("dict[str, Any]", folder) for folder in cast("list[object]", folders) if isinstance(folder, dict)]
        return [folder["uri"] for folder in named if isinstance(folder.get("uri"), str)]
    root_uri, root_path = params.get("rootUri"), params.get("rootPath")
    if isinstance(root_uri, str):
        return [root_uri]
    return [f"file://{root_path}"] if isinstance(root_path, str) else []
