"""What a model's blocks keep of the tokens they have seen, as transformers' own cache has it."""

from __future__ import annotations

from dataclasses import dataclass

from undersong.errors import WeightsFormat


@dataclass(frozen=True, slots=True)
class Kept:
    """One block's: keys and values of every token where it `attends`, and so many recurrent `states` (each with the
    last inputs of its convolution) that stand for all tokens at once. A block without either keeps nothing."""

    attends: bool
    states: int = 0


def kept_by_blocks(config: object, name: str) -> tuple[Kept, ...]:
    """Of each block. WeightsFormat where one keeps something else, or none keeps keys and values."""
    from transformers.cache_utils import (
        DummyLayer,
        DynamicCache,
        DynamicLayer,
        DynamicSlidingWindowLayer,
        LinearAttentionAndFullAttentionLayer,
        LinearAttentionAndSlidingWindowAttentionLayer,
        LinearAttentionLayer,
    )

    attends = {
        DynamicLayer: True,
        DynamicSlidingWindowLayer: True,
        LinearAttentionAndFullAttentionLayer: True,
        LinearAttentionAndSlidingWindowAttentionLayer: True,
        LinearAttentionLayer: False,
        DummyLayer: False,
    }
    # Blocks that use keys and values of others have a dummy as well: they could not run without those.
    shares = getattr(config, "kv_sharing_modes", None) is not None
    found: list[Kept] = []
    for index, layer in enumerate(DynamicCache(config=config).layers):  # pyright: ignore[reportArgumentType]
        if type(layer) not in attends or (shares and type(layer) is DummyLayer):
            raise WeightsFormat(
                f"{name}: expected blocks that keep keys and values of every token or recurrent states, "
                f"found {type(layer).__name__} in block {index}"
            )
        found.append(Kept(attends[type(layer)], getattr(layer, "number_of_states", 0)))
    if not any(each.attends for each in found):
        raise WeightsFormat(f"{name}: expected attention that keeps keys and values in some block, found none")
    return tuple(found)
