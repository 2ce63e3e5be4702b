"""A chat model behind an OpenAI-compatible `/chat/completions`: vLLM, llama.cpp, Ollama, or a service.

The address is asked with httpx and nothing is sent elsewhere: no redirects are followed, no proxies of the environment
taken. A key is sent in the Authorization header only, never to a plain-http address beyond this machine, and stands in
no message of ours. What servers say when they fail is quoted by status and code, not whole: it may repeat the prompt.
Servers that refuse `max_tokens` or `temperature`, as some services do for models that think, are asked without.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx

from undersong.errors import BadInput, EngineUnavailable
from undersong.sae.labelling.chat import Message

TRIES = 5
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LONGEST_PAUSE = 60.0
_OPTIONAL = frozenset({"max_tokens", "temperature"})


class Endpoint:
    """`url`: up to and with `/v1`. BadInput for one that is no address, or a key that would cross the net in clear."""

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        timeout: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError as error:
            raise BadInput("endpoint: expected an address such as http://127.0.0.1:8000/v1, found none") from error
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise BadInput(f"endpoint: expected an address such as http://127.0.0.1:8000/v1, found {_shown(url)!r}")
        key = key.strip() if key else None
        if key and not (key.isascii() and key.isprintable()):
            raise BadInput("endpoint: expected a key of plain characters, found others")
        if key and parts.scheme == "http" and not is_here(parts.hostname):
            raise BadInput(f"endpoint: expected https where a key is sent, found {_shown(url)!r}")
        self._url, self._where, self._model, self._sleep = url.rstrip("/"), _shown(url).rstrip("/"), model, sleep
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._unknown: frozenset[str] = frozenset()
        self._client = httpx.Client(headers=headers, timeout=timeout, follow_redirects=False, trust_env=False)

    @property
    def name(self) -> str:
        return self._model

    @property
    def where(self) -> str:
        """The address, without anything that may be secret."""
        return self._where

    @property
    def is_elsewhere(self) -> bool:
        """Whether text leaves this machine."""
        return not is_here(urlsplit(self._url).hostname or "")

    def ask(self, messages: Sequence[Message], max_tokens: int) -> str:
        """Waits and tries again where the server is busy, or sends what is no answer. EngineUnavailable where it goes
        on so, or cannot be reached; BadInput where it refuses.

        "" where there is no answer, as of models that spent `max_tokens` on their thoughts.
        """
        pause = 1.0
        for left in reversed(range(TRIES)):
            # Questions asked side by side may learn of it at once.
            unknown = self._unknown
            body = self._body(messages, max_tokens, unknown)
            try:
                answer = self._client.post(f"{self._url}/chat/completions", json=body)
            except httpx.HTTPError as error:
                failure, wait = f"could not be asked: {type(error).__name__}", pause
            else:
                if answer.status_code == 200 and (content := _content(answer)) is not None:
                    return content
                failure, wait = f"answered {answer.status_code}{_code(answer)}", _wait(answer, pause)
                if answer.status_code == 400 and _refused(answer) in _OPTIONAL - unknown:
                    self._unknown = self._unknown | {_refused(answer)}
                    continue
                if answer.status_code == 200:
                    failure += " without text in choices[0].message.content"
                elif answer.status_code not in _AGAIN:
                    raise BadInput(f"endpoint: {self._where} {failure}")
            if left:
                self._sleep(wait)
                pause *= 2
        raise EngineUnavailable(f"endpoint: {self._where} {failure}, {TRIES} times")  # pyright: ignore[reportPossiblyUnboundVariable]

    def close(self) -> None:
        self._client.close()

    def _body(self, messages: Sequence[Message], max_tokens: int, unknown: frozenset[str]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "stream": False,
        }
        body |= {"max_completion_tokens" if "max_tokens" in unknown else "max_tokens": max_tokens}
        return body if "temperature" in unknown else body | {"temperature": 0}


def is_here(host: str) -> bool:
    """Whether `host` is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _shown(url: str) -> str:
    """The address without anything that may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _content(answer: httpx.Response) -> str | None:
    """What was said, "" where that is nothing; None for what is no answer, such as a proxy's page."""
    try:
        content = answer.json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    if content is None:
        return ""
    return content if isinstance(content, str) else None


def _wait(answer: httpx.Response, pause: float) -> float:
    try:
        return min(_LONGEST_PAUSE, max(0.0, float(answer.headers.get("retry-after", pause))))
    except ValueError:
        return pause


def _refused(answer: httpx.Response) -> str:
    """The parameter that the server names as wrong, or ""."""
    try:
        return str(answer.json()["error"]["param"])
    except (ValueError, KeyError, TypeError):
        return ""


def _code(answer: httpx.Response) -> str:
    try:
        stated: Any = answer.json()["error"]
        code = stated.get("code") or stated.get("type")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f" ({str(code)[:60]})" if code else ""
