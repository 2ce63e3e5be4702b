"""The ways that others add a direction to the residual stream, and texts written so.

Fixed: h + c v at every position, whatever passes there. With v = m d, d a feature's decoder row and m its largest
activation, c is the strength multiplier of Neuronpedia and of SAELens' tutorials, where 1 is where one begins.

By norm: h + s |h| v at every position, what is added cut to |h| where it is longer: `norm_scaled_add` of interp-engine
1.14.2 (interp_engine/steer.py, norm_scaled_add_delta, max_fraction 1), with v as it is given.

Both steer the prompt too, as those tools do by default, but no special token (`steer_special_tokens` false): the
beginning of the text is read unsteered. There is no brake, no guard against repetition and no cap beyond that one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from undersong.hook_points import HookPoint
from undersong.model.generation import Generation
from undersong.model.interventions import Intervention, steering
from undersong.model.kv_cache import WindowCache
from undersong.model.language_model import LanguageModel
from undersong.model.sampling import Sampler
from undersong.model.steps import after_cache


@dataclass(frozen=True, slots=True, eq=False)
class Push:
    """`direction` [d] added at `point`, `sizes` times it: a size is a level. `by_norm`: times the stream's norm too."""

    point: HookPoint
    direction: Tensor
    sizes: tuple[float, ...]
    by_norm: bool = False

    @property
    def coefficients(self) -> list[float]:
        """The sizes, no more of them than `by_norm` may add: the length of the stream."""
        most = 1.0 / float(self.direction.float().norm()) if self.by_norm else float("inf")
        return [min(size, most) for size in self.sizes]


def hooks(pushes: Sequence[Push], repeats: int) -> list[Intervention]:
    """Rows: the levels of the first push, `repeats` rows each, then those of the next."""
    n_levels = [len(push.sizes) for push in pushes]
    made: list[Intervention] = []
    for number, push in enumerate(pushes):
        sizes = torch.zeros(sum(n_levels))
        start = sum(n_levels[:number])
        sizes[start : start + n_levels[number]] = torch.tensor(push.coefficients)
        sizes = sizes.repeat_interleave(repeats)
        made.append(
            Intervention(
                push.point, "add", push.direction[None].float(), sizes[:, None], scale=(sizes != 0).float(),
                unit=_norm if push.by_norm else None,
            )
        )  # fmt: skip
    return made


def pushed(
    model: LanguageModel,
    window: WindowCache,
    pushes: Sequence[Push],
    samplers: Callable[[], Sequence[Sampler]],
    n_tokens: int,
    banned: frozenset[int],
) -> list[list[int]]:
    """Ids of a text for each level of each push and each sampler (a level's texts together), after the window's prompt.

    `samplers` makes new ones, the same each time. The prompt is read again under steering, once a level.
    """
    n_levels, repeats = sum(len(push.sizes) for push in pushes), len(samplers())
    first = int(window.ids[0] in model.special_ids)
    cache = window.fork(first, n_levels)
    if window.length - 1 > first:
        with torch.inference_mode(), steering(model, hooks(pushes, 1), max_fraction=None):
            ids = model.tensor([window.ids[first:-1]] * n_levels)
            model.body(input_ids=ids, past_key_values=cache, use_cache=True)
        cache.batch_repeat_interleave(repeats)
    else:
        cache = window.fork(first, n_levels * repeats)
    generation = Generation(
        model,
        after_cache(model, cache),
        window.ids[-1],
        [sampler for _ in range(n_levels) for sampler in samplers()],
        max_tokens=n_tokens,
        interventions=hooks(pushes, repeats),
        max_fraction=None,
        banned=banned,
    )
    for _ in generation:
        pass
    return generation.ids


def _norm(stream: Tensor) -> Tensor:
    """[..., 1]"""
    return stream.norm(dim=-1, keepdim=True)
