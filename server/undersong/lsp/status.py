"""How the engine is: told as `undersong/status`, shown as progress while it loads, answered to `undersong.status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from undersong.lsp.link import EngineLink
from undersong.lsp.progress import ProgressBar, ProgressBars
from undersong.wire import Health

if TYPE_CHECKING:
    from undersong.lsp.protocol import UndersongProtocol

METHOD = "undersong/status"


class StatusTeller:
    """Tells the client of each change, as far as it announced that it can show it."""

    def __init__(self, protocol: UndersongProtocol, bars: ProgressBars) -> None:
        self._protocol = protocol
        self._bars = bars
        self._loading: ProgressBar | None = None

    def tell(self, link: EngineLink) -> None:
        told = status(link, link.health)
        if link.state in ("starting", "loading"):
            if self._loading is None:
                self._loading = self._bars.start("Undersong")
            self._loading.report(link.message, told["progress"])
        elif self._loading is not None:
            self._loading.end(link.message)
            self._loading = None
        if self._protocol.profile.status:
            self._protocol.tell(METHOD, told)


def status(link: EngineLink, health: Health | None) -> dict[str, Any]:
    """`health`: the engine's; None where there is no engine."""
    return {
        "state": link.state,
        "message": link.message,
        "progress": health.progress if health else 0.0,
        "model": health.model if health else "",
        "device": health.device if health else "",
        "dtype": health.dtype if health else "",
        "context": health.context if health else 0,
        "saes": list(health.saes) if health else [],
        "clients": health.clients if health else 0,
        "memory_bytes": health.memory_bytes if health else 0,
        "weights_bytes": health.weights_bytes if health else 0,
        "caches_bytes": health.caches_bytes if health else 0,
        "budget_bytes": health.budget_bytes if health else 0,
        "warnings": list(health.warnings) if health else [],
    }
