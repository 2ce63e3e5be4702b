"""SAEs at each site of each architecture: what is added where they write."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.engine.conftest import Bench, play
from tests.engine.plain_hooks import (
    MODULES,
    PARAGRAPHS,
    SAES,
    adding,
    saes_of,
    seen,
    size_of,
    slow_encode,
    slow_read,
    some_ids,
    whole,
)
from tests.support.tiny_models import D_MODEL
from undersong.engine.calibration import LIMIT_NATS, calibrate
from undersong.engine.loading import Loaded
from undersong.engine.steering import interventions, lookup
from undersong.hook_points import HookPoint, Site
from undersong.model.generation import generate
from undersong.model.interventions import Intervention, Operation, Steering
from undersong.model.kv_cache import WindowCache
from undersong.model.sampling import Sampler
from undersong.wire import Dial, Dose, DraftUpdate, Splice, WriteRequest

TOKEN = [
    (architecture, name) for architecture in MODULES for name in saes_of(architecture) if SAES[name].grain == "token"
]
TARGETS = (1.5, 0.7)


def chosen(loaded: Loaded, name: str, operation: Operation, ids: list[int]) -> list[int]:
    """Two features of one SAE: to be taken away, the strongest on the last token."""
    if operation != "ablate":
        return [3, 17]
    return slow_encode(loaded, name, slow_read(loaded, name, ids)[-1]).topk(2).indices.tolist()


def slow_delta(loaded: Loaded, name: str, operation: Operation, two: list[int], x: Tensor) -> Tensor:
    """[..., d_model] of what the SAE reads: unit directions U times b, where (U U^T) b = y is what is asked for."""
    sae: Any = loaded.dictionaries[name].sae
    directions, targets = sae.W_dec[two], torch.tensor(TARGETS)
    if operation == "add":
        return size_of(name, x) * (targets @ directions)
    now = slow_encode(loaded, name, x)[..., two]
    wanted = {"floor": (targets - now).clamp_min(0), "clamp": targets - now, "ablate": -now}[operation]
    lengths = directions.norm(dim=1)
    units = directions / lengths[:, None]
    y = size_of(name, x) * wanted * lengths
    both = torch.linalg.solve(units @ units.T, y[..., None])[..., 0]
    if operation == "floor":
        # One that asks for nothing, or would hold the other back, is let go.
        alone = (wanted <= 0).any(-1, keepdim=True) | (both < 0).any(-1, keepdim=True)
        both = torch.where(alone, torch.where(y == y.amax(-1, keepdim=True), y, 0.0), both)
    return both @ units


@pytest.mark.parametrize("operation", ["floor", "clamp", "add", "ablate"])
@pytest.mark.parametrize(("architecture", "name"), TOKEN)
def test_writing_from_the_cache_is_the_plain_network_with_a_delta_where_the_sae_writes(
    opened, architecture, name, operation
):
    """As the engine writes: from a cropped, completed, forked window, a token at a time."""
    loaded = opened(architecture)
    ids = some_ids(loaded)[:20]
    window = WindowCache(loaded.model, [one.reads for one in loaded.dictionaries.values()])
    window.extend(ids)
    two = chosen(loaded, name, operation, ids)
    features = [replace(lookup(loaded, f"{name}.{index}"), asked=operation) for index in two]
    hooks = interventions(features, torch.tensor([TARGETS]), torch.ones(1))
    written = generate(
        loaded.model, window, 20, [Sampler(1.0, 1.0, 5, 0)], max_tokens=4, interventions=hooks, max_fraction=None
    )
    for _ in written:
        pass
    (text,), (logprobs,) = written.ids, written.logprobs
    config = SAES[name]
    with ExitStack() as stack:
        read = stack.enter_context(seen(loaded, config.point)) if config.hook_out else None

        def delta(passing: Tensor) -> Tensor:
            moved = slow_delta(loaded, name, operation, two, passing if read is None else read[0])
            return torch.cat([torch.zeros_like(moved[:, :19]), moved[:, 19:]], dim=1)

        stack.enter_context(adding(loaded, config.point_out, delta))
        steered = whole(loaded, [*ids, *text])[19:-1].log_softmax(-1)
    expected = steered.gather(1, torch.tensor([text]).T)[:, 0]
    torch.testing.assert_close(torch.tensor(logprobs), expected, atol=1e-3, rtol=0)
    plain = whole(loaded, [*ids, *text])[19:-1].log_softmax(-1)
    assert not torch.allclose(steered, plain, atol=1e-2)


@pytest.mark.parametrize("architecture", MODULES)
def test_a_row_of_scale_zero_is_the_unsteered_model_bit_for_bit(opened, architecture):
    loaded = opened(architecture)
    ids = loaded.model.tensor([some_ids(loaded)] * 2)
    features = [lookup(loaded, f"{name}.3") for name in saes_of(architecture)]
    hooks = interventions(features, torch.full((2, len(features)), 2.0), torch.tensor([0.0, 1.0]))
    with torch.inference_mode():
        plain = loaded.model.network(input_ids=ids, use_cache=False).logits
        with Steering(loaded.model, hooks):
            mixed = loaded.model.network(input_ids=ids, use_cache=False).logits
    assert torch.equal(mixed[0].view(torch.int32), plain[0].view(torch.int32))
    assert not torch.allclose(mixed[1], plain[1], atol=1e-2)


@pytest.mark.parametrize("site", ["attn_out", "resid_mid", "mlp_out"])
def test_a_delta_is_capped_at_the_norm_of_the_stream_that_it_joins(opened, site):
    loaded = opened("llama")
    point, joined = HookPoint(1, site), HookPoint(1, "resid_post" if site == "mlp_out" else "resid_mid")
    far = Intervention(point, "add", torch.ones(1, D_MODEL), torch.tensor([1000.0]))
    ids = loaded.model.tensor([some_ids(loaded)])
    found: list[Tensor] = []
    for hooks in ([], [far]):
        with torch.inference_mode(), Steering(loaded.model, hooks), loaded.model.sites.captured([joined]) as seen:
            loaded.model.body(input_ids=ids, use_cache=False)
        found.append(seen[joined])
    before, after = found
    torch.testing.assert_close((after - before).norm(dim=-1), before.norm(dim=-1), atol=1e-3, rtol=1e-4)


def test_what_two_saes_of_one_place_in_the_stream_share_is_counted_once(opened):
    """What the MLP adds joins the stream that leaves the block: the same direction asked for through both."""
    model, here = opened("llama").model, HookPoint(2)
    direction = torch.nn.functional.normalize(torch.ones(1, D_MODEL), dim=1)

    def floor(point: HookPoint) -> Intervention:
        return Intervention(point, "floor", direction, torch.tensor([2.0]), lambda x: torch.zeros_like(x[..., :1]))

    found: list[Tensor] = []
    for points in ([], [here], [here, HookPoint(2, "mlp_out")]):
        with torch.inference_mode(), Steering(model, [floor(p) for p in points]), model.sites.captured([here]) as seen:
            model.body(input_ids=model.tensor([[1, 2, 3]]), use_cache=False)
        found.append(seen[here])
    torch.testing.assert_close(found[2], found[1], atol=1e-3, rtol=0)
    torch.testing.assert_close(found[1] - found[0], 2 * direction.expand(1, 3, -1), atol=1e-4, rtol=0)


JOINS: dict[str, dict[Site, Site | None]] = {
    "llama": {"attn_out_raw": "resid_mid", "mlp_out_raw": "resid_post", "mlp_in_raw": None, "mlp_post": None},
    # Norms lie between what attention and MLP put out and the stream.
    "gemma2": {"attn_out": "resid_mid", "attn_out_raw": None, "mlp_out": "resid_post", "mlp_out_raw": None},
    # The MLP does not see what attention adds.
    "gpt-neox": {"attn_out": "resid_post", "mlp_out": "resid_post", "attn_z": None},
}


@pytest.mark.parametrize("architecture", JOINS)
def test_a_place_joins_the_stream_where_a_delta_arrives_as_it_is(opened, architecture):
    sites = opened(architecture).model.sites
    for site, joined in JOINS[architecture].items():
        assert sites.stream(HookPoint(2, site)) == (None if joined is None else HookPoint(2, joined))
    assert sites.stream(HookPoint(0, "embed")) == HookPoint(0, "resid_pre")


def test_suggestions_are_steered_at_any_place_with_cold_caches_as_with_warm(opened, tmp_path):
    loaded = opened("llama")
    names = saes_of("llama")
    benches = [Bench(loaded, tmp_path) for _ in range(2)]
    for name in names:
        benches[0].doses.put(loaded.fingerprint, f"{name}.3", Dose(6.0, 6.0, 1.0))
    benches[1].read(benches[1].draft(*PARAGRAPHS))

    def texts(bench: Bench, *dials: Dial) -> dict[int, str]:
        asked = WriteRequest(
            DraftUpdate("draft", 1, 1, Splice(0, 0, ())), 1, 16, 16, "continue", dials,
            candidates=2, max_tokens=6, stop="length", seed=3,
        )  # fmt: skip
        results = play(bench.writer.write(bench.draft(*PARAGRAPHS).outline, asked))
        assert all(len(result.receipt.effects) == len(dials) for result in results)
        return {result.candidate: result.text for result in results}

    plain = texts(benches[0])
    together = tuple(Dial(f"{name}.3", 1.0) for name in names)
    for dials in (*((dial,) for dial in together), together):
        steered = texts(benches[0], *dials)
        assert steered != plain
        assert texts(benches[1], *dials) == steered
        assert texts(benches[0], *(replace(dial, strength=0.0) for dial in dials)) == plain


@pytest.mark.parametrize("name", SAES)
def test_a_dose_has_the_same_limit_wherever_it_is_given(opened, name):
    loaded = opened("llama")
    dose = play(calibrate(loaded, loaded.dictionaries[name], 3))
    assert dose.activation > 0 and dose.norm > 0 and 0 < dose.kl_p95 <= LIMIT_NATS


def test_a_dose_does_not_depend_on_the_length_of_what_a_layer_norm_reads(opened, tmp_path):
    """The same SAE with decoder rows twice as long needs half the activation for the same step."""
    loaded = opened("llama")
    one = loaded.dictionaries["1"]
    doubled = replace(one, steering=2 * one.sae.W_dec)
    single, double = (play(calibrate(loaded, dictionary, 3)) for dictionary in (one, doubled))
    assert double.norm == pytest.approx(single.norm, rel=1e-3)
    assert double.activation == pytest.approx(single.activation / 2, rel=1e-3)
