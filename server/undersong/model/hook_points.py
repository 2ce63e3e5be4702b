"""Where in the network a feature lives: only the residual stream after a block, under the names in use for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from undersong.errors import WeightsFormat

# Each pattern has one group, the number, and how many blocks before that number the site lies.
_NAMES: tuple[tuple[str, int], ...] = (
    (r"blocks\.(\d+)\.hook_resid_post", 0),
    # What enters block n is what leaves block n - 1.
    (r"blocks\.(\d+)\.hook_resid_pre", 1),
    # transformers module paths: model.layers.3, transformer.h.3, gpt_neox.layers.3, model.decoder.layers.3.
    (r"(?:[a-z_]+\.)*(?:layers|h)\.(\d+)", 0),
)

SUPPORTED = "blocks.N.hook_resid_post, blocks.N.hook_resid_pre (N > 0), or a block's module path such as model.layers.N"


@dataclass(frozen=True, slots=True)
class HookPoint:
    """A site of block `layer`, counted from 0."""

    layer: int
    site: str = "resid_post"


def parse(name: str) -> HookPoint:
    """The hook point called `name`. WeightsFormat where the name means another site, or nothing known."""
    for pattern, before in _NAMES:
        found = re.fullmatch(pattern, name)
        if found and int(found[1]) >= before:
            return HookPoint(int(found[1]) - before)
    raise WeightsFormat(f"hook point: expected {SUPPORTED}; found {name!r}")
