"""Hook points inside a loaded model: which module, which side of it, read, replaced or added to there.

    with model.sites.captured([HookPoint(3, "mlp_in")]) as found:
        model.network(input_ids=ids, use_cache=False)
    found[HookPoint(3, "mlp_in")]      # [rows, n, d]

Hooks on one module act in the order in which they were set.

Modules are found by the names that families of architectures share (layouts.py), and what they are taken for is proved
on three tokens: what attention and MLP add must sum to what the block adds. Where that fails, or no layout fits, only
the stream between blocks is offered. A model may only be used with the sites that were found on it.

The last block's output is what leaves the block: transformers' own `hidden_states[-1]` is that after the final norm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from undersong.errors import WeightsFormat
from undersong.hook_points import SITES, HookPoint, Site
from undersong.model.blocks import hidden_of, with_hidden
from undersong.model.layouts import LAYOUTS, Layout

if TYPE_CHECKING:
    from undersong.model.language_model import LanguageModel

Side = Literal["input", "output", "normalized"]
Change = Callable[[Tensor], Tensor]

# Token ids that every vocabulary has.
_PROBE = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Place:
    """`normalized` is the input of a norm, normalised as the norm does before its gain."""

    module: nn.Module
    side: Side


class Sites:
    """The hook points of one model, from `find_sites`."""

    def __init__(self, model: LanguageModel, layout: Layout | None, embed: Place, has_mid: bool) -> None:
        self._model = model
        self._layout = layout
        self._embed = embed
        self._has_mid = has_mid
        self._widths: dict[HookPoint, int] = {}

    @property
    def known(self) -> tuple[Site, ...]:
        """The sites that this model has, in the order in which a token passes them."""
        return tuple(site for site in SITES if self._find(HookPoint(0, site)) is not None)

    def place(self, point: HookPoint) -> Place:
        """WeightsFormat where the model has no such block or site."""
        if not 0 <= point.layer < self._model.n_layers:
            raise WeightsFormat(
                f"{self._model.name}: {point}: expected a block from 0 to {self._model.n_layers - 1}, "
                f"found {point.layer}"
            )
        found = self._find(point)
        if found is None:
            raise WeightsFormat(
                f"{self._model.name}: {point}: expected one of {', '.join(self.known)}; found {point.site}, which "
                "this architecture does not have or we do not know where"
            )
        return found

    def width(self, point: HookPoint) -> int:
        """How many numbers pass at `point`. WeightsFormat as `place`."""
        if point not in self._widths:
            with self.captured([point]) as found:
                _run(self._model)
            self._widths[point] = int(found[point].shape[-1])
        return self._widths[point]

    def stream(self, point: HookPoint) -> HookPoint | None:
        """Where in the residual stream a delta is the same as at `point`; None where what passes is changed on its way
        there (by a projection or a norm), or is a copy that never goes back. WeightsFormat as `place`."""
        place = self.place(point)
        if point.site in ("resid_pre", "resid_mid", "resid_post"):
            return point
        if self._layout is None:
            return None
        if point.site == "embed":
            return HookPoint(0, "resid_pre")
        if place == self.place(HookPoint(point.layer, "mlp_out")):
            return HookPoint(point.layer, "resid_post")
        if place == self.place(HookPoint(point.layer, "attn_out")):
            return HookPoint(point.layer, "resid_mid" if self._has_mid else "resid_post")
        return None

    @contextmanager
    def captured(
        self, points: Iterable[HookPoint], found: dict[HookPoint, Tensor] | None = None
    ) -> Iterator[dict[HookPoint, Tensor]]:
        """While active, what passes at `points` [rows, n, d] is kept in the dict (`found`, or a new one), the last
        call's."""
        found = {} if found is None else found
        with ExitStack() as stack:
            for point in points:
                place = self.place(point)
                stack.callback(_watch(place, lambda value, point=point: found.__setitem__(point, value)).remove)
            yield found

    def replaced(self, point: HookPoint, change: Change) -> AbstractContextManager[None]:
        """While active, what passes at `point` [rows, n, d] is `change` of it. WeightsFormat inside a norm."""

        def instead(carrier: Tensor, passing: Tensor) -> Tensor:
            changed = change(passing)
            return changed if carrier is passing else carrier + (changed - passing)

        return self._carried(point, instead)

    def added(self, point: HookPoint, delta: Change) -> AbstractContextManager[None]:
        """While active, `delta` of what passes at `point` is added to it, in the precision of the delta.

        Where the delta is 0 what passes stays as it is, bit for bit. WeightsFormat inside a norm.
        """

        return self._carried(point, lambda carrier, passing: plus(carrier, delta(passing)))

    @contextmanager
    def _carried(self, point: HookPoint, change: Callable[[Tensor, Tensor], Tensor]) -> Iterator[None]:
        """While active, `change(carrier, passing)` stands for the carrier: the module's value that brings what passes
        at `point`. It is that itself, but for the stream between attention and MLP, a sum that no module takes in:
        there it is what attention adds."""
        place = self.place(point)
        if place.side == "normalized":
            raise WeightsFormat(f"{point}: expected a site whose value is passed on; found one inside a norm")
        with ExitStack() as stack:
            if point.site == "resid_mid":
                before: dict[HookPoint, Tensor] = {}
                entered = Place(self._model.blocks.modules[point.layer], "input")
                stack.callback(_watch(entered, lambda value: before.__setitem__(point, value)).remove)
                place = self.place(HookPoint(point.layer, "attn_out"))
                stack.callback(_swap(place, lambda added: change(added, before[point] + added)).remove)
            else:
                stack.callback(_swap(place, lambda value: change(value, value)).remove)
            yield

    def _find(self, point: HookPoint) -> Place | None:
        block, layout = self._model.blocks.modules[point.layer], self._layout
        match point.site:
            case "embed":
                return self._embed
            case "resid_pre":
                return Place(block, "input")
            case "resid_post":
                return Place(block, "output")
        return None if layout is None else self._inside(block, layout, point.site)

    def _inside(self, block: nn.Module, layout: Layout, site: Site) -> Place | None:
        def at(path: str | None, side: Side) -> Place | None:
            return None if path is None else Place(block.get_submodule(path), side)

        match site:
            case "attn_z":
                return at(layout.attention_last, "input")
            case "attn_out_raw":
                return at(layout.attention, "output")
            case "attn_out":
                return at(layout.after_attention or layout.attention, "output")
            case "resid_mid":
                return at(layout.before_mlp or layout.mlp, "input") if self._has_mid else None
            case "mlp_in_raw":
                return at(layout.before_mlp, "input")
            case "mlp_in_normalized":
                return at(layout.before_mlp, "normalized")
            case "mlp_in":
                return at(layout.mlp, "input")
            case "mlp_post":
                return at(layout.mlp_last, "input")
            case "mlp_out_raw":
                return at(layout.mlp, "output")
            case "mlp_out":
                return at(layout.after_mlp or layout.mlp, "output")
            case _:
                raise AssertionError(site)


def plus(value: Tensor, delta: Tensor) -> Tensor:
    """`value` with `delta` added, in the precision of the delta; where that is 0 it stays, bit for bit."""
    # Adding zero would turn -0.0 into 0.0.
    return torch.where(delta == 0, value, (value.to(delta.dtype) + delta).to(value.dtype))


def find_sites(model: LanguageModel) -> Sites:
    """The sites of `model`, proved on three tokens."""
    embed = Place(model.network.get_input_embeddings(), "output")
    candidates = [layout for layout in LAYOUTS if all(layout.fits(block) for block in model.blocks.modules)]
    for layout in candidates:
        sites = Sites(model, layout, embed, has_mid=True)
        if (parallel := _proved(model, sites)) is not None:
            return Sites(model, layout, embed, has_mid=not parallel)
    return Sites(model, None, embed, has_mid=False)


def _proved(model: LanguageModel, sites: Sites) -> bool | None:
    """Whether attention and MLP of block 0 run side by side; None where they do not sum to what the block adds."""
    block = {site: HookPoint(0, site) for site in ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")}
    with sites.captured(block.values()) as found:
        _run(model)
    before, attention, middle, mlp, after = (found[point].float() for point in block.values())
    # What rounding may do, number by number: a stream may have a few that are thousands of times as large as others.
    rounding = 4 * torch.finfo(model.dtype).eps * (before.abs() + attention.abs() + mlp.abs() + after.abs())

    def same(a: Tensor, b: Tensor) -> bool:
        return bool(((a - b).abs() <= rounding).all())

    # Of the two the nearer: what attention adds to block 0 may be next to nothing.
    apart, in_turn = ((middle - expected).abs().sum() for expected in (before, before + attention))
    parallel = bool(apart < in_turn)
    proved = same(before + attention + mlp, after) and same(middle, before if parallel else before + attention)
    return parallel if proved else None


def _run(model: LanguageModel) -> None:
    with torch.inference_mode():
        model.body(input_ids=model.tensor([list(_PROBE)]), use_cache=False)


def _watch(place: Place, keep: Callable[[Tensor], object]) -> Any:
    if place.side == "output":
        return place.module.register_forward_hook(lambda _module, _inputs, output: _quietly(keep, hidden_of(output)))

    def before(module: nn.Module, args: Any, kwargs: Any) -> None:
        value = args[0] if args else kwargs["hidden_states"]
        keep(_normalized(module, value) if place.side == "normalized" else value)

    return place.module.register_forward_pre_hook(before, with_kwargs=True)


def _quietly(keep: Callable[[Tensor], object], value: Tensor) -> None:
    # What a forward hook returns would replace the module's output.
    keep(value)


def _swap(place: Place, change: Change) -> Any:
    if place.side == "output":
        return place.module.register_forward_hook(
            lambda _module, _inputs, output: with_hidden(output, change(hidden_of(output)))
        )

    def before(_module: nn.Module, args: Any, kwargs: Any) -> Any:
        if args:
            return (change(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": change(kwargs["hidden_states"])}

    return place.module.register_forward_pre_hook(before, with_kwargs=True)


def _normalized(norm: nn.Module, x: Tensor) -> Tensor:
    """What `norm` makes of `x` before its gain, in float32 as norms compute it."""
    wide = x.float()
    if isinstance(norm, nn.LayerNorm):
        wide = wide - wide.mean(dim=-1, keepdim=True)
    eps = getattr(norm, "variance_epsilon", None) or getattr(norm, "eps", None)
    if not isinstance(eps, float):
        raise WeightsFormat(f"{type(norm).__name__}: expected a norm that states its epsilon, found none")
    return (wide * torch.rsqrt(wide.pow(2).mean(dim=-1, keepdim=True) + eps)).to(x.dtype)
