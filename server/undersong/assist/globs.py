"""Which files a setting excludes: globs relative to the workspace folder."""

from __future__ import annotations

import re
from functools import lru_cache

from undersong.assist.settings import Settings


def excluded(settings: Settings, path: str) -> bool:
    """Whether `reading.exclude` names this file. `path` is relative to the workspace, with "/" between folders.

    `*` and `?` stay within one folder, `**` crosses folders; a pattern without "/" names a file or folder
    anywhere; a pattern that names a folder holds for all that is in it.
    """
    return any(_compiled(pattern).fullmatch(path) for pattern in settings.reading.exclude)


WILD: dict[str, str] = {"/**/": "/(?:.*/)?", "**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    rooted = pattern.strip("/")
    prefix = "" if "/" in rooted or pattern.startswith("/") else "(?:.*/)?"
    body = ""
    for part in re.findall(r"/\*\*/|\*\*/|/\*\*|\*\*|.", rooted, re.DOTALL):
        body += WILD.get(part) or re.escape(part)
    return re.compile(prefix + body + "(?:/.*)?", re.DOTALL)
