from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.model.text import some_ids
from undersong.errors import WeightsFormat
from undersong.hook_points import HookPoint
from undersong.model.deltas import solve
from undersong.model.interventions import Intervention, Operation, Steering, steering
from undersong.model.language_model import LanguageModel

Same = Callable[[Any, Any], None]

HERE = HookPoint(1)
IDS = some_ids(12)


def unit(*rows: list[float]) -> Tensor:
    """Directions [k, 32] from their first coordinates."""
    directions = torch.zeros(len(rows), 32)
    for index, row in enumerate(rows):
        directions[index, : len(row)] = torch.tensor(row)
    return directions


def projections(directions: Tensor) -> Callable[[Tensor], Tensor]:
    """A reader: feature i is how far h lies along d_i, in lengths of d_i. A delta changes it just as asked."""
    return lambda resid: resid @ directions.T / directions.norm(dim=1) ** 2


def run(
    model: LanguageModel, interventions: list[Intervention], rows: int = 1, max_fraction: float | None = None
) -> tuple[Tensor, Tensor]:
    """(residual at HERE as the next block gets it, logits), both [rows, n, ...]."""
    with torch.inference_mode(), steering(model, interventions, max_fraction), model.sites.captured([HERE]) as found:
        logits = model.network(input_ids=model.tensor([IDS] * rows), use_cache=False).logits
    return found[HERE], logits


def steered(
    model: LanguageModel,
    operation: Operation,
    directions: Tensor,
    targets: list[float],
    max_fraction: float | None = None,
    read: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """(residual before, after) [n, 32] under one intervention, features read as `projections`."""
    before, _ = run(model, [])
    read = read or projections(directions)
    intervention = Intervention(HERE, operation, directions, torch.tensor(targets), read)
    after, _ = run(model, [intervention], max_fraction=max_fraction)
    return before[0], after[0]


def test_add_adds_its_directions(model: LanguageModel, same: Same) -> None:
    directions = unit([1.0, 0.5], [0.0, 2.0])
    before, after = steered(model, "add", directions, [2.0, -1.0])
    same(after - before, (2 * directions[0] - directions[1]).expand(12, -1))


def test_clamp_reaches_its_targets_whatever_the_angle(model: LanguageModel) -> None:
    directions = unit([2.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.0, 1.0, 1.0])
    _, after = steered(model, "clamp", directions, [3.0, -1.0, 0.5])
    expected = torch.tensor([3.0, -1.0, 0.5]).expand(12, -1)
    torch.testing.assert_close(projections(directions)(after), expected, atol=0.02, rtol=0.0)


def test_a_floor_raises_what_is_below_and_leaves_what_is_above(llama: LanguageModel, same: Same) -> None:
    directions = unit([0.0, 1.0])
    before, after = steered(llama, "floor", directions, [0.5])
    read = projections(directions)(before)
    assert (read > 0.5).any() and (read < 0.5).any()
    same(projections(directions)(after), read.clamp_min(0.5))
    assert torch.equal(after[(read > 0.5)[:, 0]], before[(read > 0.5)[:, 0]])


def test_ablate_takes_the_whole_activation_out(model: LanguageModel, same: Same) -> None:
    directions = unit([3.0, 4.0])
    _, after = steered(model, "ablate", directions, [7.0])
    same(projections(directions)(after), torch.zeros(12, 1))


def test_two_floors_on_one_direction_are_counted_once(llama: LanguageModel) -> None:
    once = unit([1.0, 1.0])
    zero = lambda k: lambda resid: resid.new_zeros(*resid.shape[:-1], k)  # noqa: E731
    _, single = steered(llama, "floor", once, [2.0], read=zero(1))
    _, double = steered(llama, "floor", torch.cat([once, once]), [2.0, 2.0], read=zero(2))
    torch.testing.assert_close(double, single, atol=1e-3, rtol=0.0)


def test_a_floor_that_others_carry_past_its_target_does_not_hold_them_back(llama: LanguageModel, same: Same) -> None:
    directions = unit([1.0, 0.0], [0.9, 0.4359])
    zero = lambda resid: resid.new_zeros(*resid.shape[:-1], 2)  # noqa: E731
    before, after = steered(llama, "floor", directions, [1.0, 0.5], read=zero)
    torch.testing.assert_close(after - before, directions[0].expand(12, -1), atol=1e-3, rtol=0.0)


def test_opposite_requests_cancel_and_nearly_opposite_ones_stay_finite(llama: LanguageModel, same: Same) -> None:
    zero = lambda resid: resid.new_zeros(*resid.shape[:-1], 2)  # noqa: E731
    before, after = steered(llama, "clamp", unit([1.0, 0.0], [-1.0, 0.0]), [1.0, 1.0], read=zero)
    same(after, before)
    before, after = steered(llama, "clamp", unit([1.0, 0.0], [-1.0, 0.01]), [1.0, 1.0], read=zero)
    assert (after - before).norm(dim=-1).max() < 5.7 * 2**0.5


def test_operations_of_one_layer_are_solved_together_after_what_is_added(llama: LanguageModel) -> None:
    one, other, third = unit([1.0, 0.0]), unit([0.6, 0.8]), unit([0.0, 0.0, 1.0])
    interventions = [
        Intervention(HERE, "add", third, torch.tensor([4.0])),
        Intervention(HERE, "clamp", one, torch.tensor([2.0]), projections(one)),
        Intervention(HERE, "ablate", other, torch.tensor([0.0]), projections(other)),
        Intervention(HERE, "clamp", third, torch.tensor([1.0]), projections(third)),
    ]
    after, _ = run(llama, interventions)
    found = after[0] @ torch.cat([one, other, third]).T
    torch.testing.assert_close(found, torch.tensor([2.0, 0.0, 1.0]).expand(12, -1), atol=0.02, rtol=0.0)


def every_operation(scale: Tensor | None) -> list[Intervention]:
    directions = unit([1.0, 0.5], [0.3, 1.0])
    operations: tuple[Operation, ...] = ("floor", "clamp", "add", "ablate")
    return [
        Intervention(HookPoint(layer), operation, directions, torch.tensor([4.0, 2.0]), projections(directions), scale)
        for layer in (0, 1, 3)
        for operation in operations
    ]


def test_a_row_of_scale_zero_is_the_unsteered_model_bit_for_bit(model: LanguageModel) -> None:
    plain, plain_logits = run(model, [], rows=3)
    mixed, mixed_logits = run(model, every_operation(torch.tensor([0.0, 1.0, 0.0])), rows=3, max_fraction=1.0)
    for row in (0, 2):
        assert torch.equal(mixed[row].view(torch.int32), plain[row].view(torch.int32))
        assert torch.equal(mixed_logits[row].view(torch.int32), plain_logits[row].view(torch.int32))
    assert not torch.allclose(mixed_logits[1], plain_logits[1], atol=1e-2)


def test_a_row_is_steered_as_it_would_be_alone(model: LanguageModel, same: Same) -> None:
    together, _ = run(model, every_operation(torch.tensor([0.5, 1.0, 2.0])), rows=3, max_fraction=0.8)
    for row, scale in enumerate((0.5, 1.0, 2.0)):
        alone, _ = run(model, every_operation(torch.tensor([scale])), max_fraction=0.8)
        same(together[row], alone[0])


def test_rows_may_have_targets_of_their_own(llama: LanguageModel, same: Same) -> None:
    directions = unit([1.0, 0.0], [0.0, 1.0])
    targets = torch.tensor([[1.0, 2.0], [-3.0, 0.5]])
    after, _ = run(llama, [Intervention(HERE, "clamp", directions, targets, projections(directions))], rows=2)
    found = projections(directions)(after)
    torch.testing.assert_close(found, targets[:, None].expand(-1, 12, -1), atol=1e-3, rtol=0.0)


def test_scale_zero_takes_a_feature_out_of_the_joint_solution(llama: LanguageModel, same: Same) -> None:
    one, other = unit([1.0, 0.0]), unit([0.8, 0.6])
    off = Intervention(HERE, "clamp", other, torch.tensor([9.0]), projections(other), torch.tensor([0.0]))
    on = Intervention(HERE, "clamp", one, torch.tensor([2.0]), projections(one))
    both, _ = run(llama, [on, off])
    alone, _ = run(llama, [on])
    torch.testing.assert_close(both, alone, atol=1e-3, rtol=0.0)


@pytest.mark.parametrize("most", [0.25, 1.0])
def test_the_delta_is_capped_at_a_fraction_of_the_stream(model: LanguageModel, same: Same, most: float) -> None:
    before, after = steered(model, "add", unit([1.0, 1.0]), [1000.0], max_fraction=most)
    same((after - before).norm(dim=-1), most * before.norm(dim=-1))


def test_a_delta_below_the_cap_is_left_as_it_is(llama: LanguageModel, same: Same) -> None:
    before, after = steered(llama, "add", unit([1.0]), [0.01], max_fraction=1.0)
    same(after - before, unit([0.01]).expand(12, -1))


def test_nothing_stays_hooked_even_when_the_model_fails(llama: LanguageModel) -> None:
    plain = run(llama, [])[1]
    reused = Steering(llama, every_operation(None))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="stop"), reused:
            raise RuntimeError("stop")
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in llama.network.modules())
    assert torch.equal(run(llama, [])[1], plain)


D = unit([1.0])
T = torch.tensor([1.0])


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("operation: expected", {"operation": "raise"}),
        ("expected a reader for floor", {"columns": None}),
        ("targets: expected", {"targets": torch.tensor([1.0, 2.0])}),
        ("targets: expected finite", {"targets": torch.tensor([float("nan")])}),
        ("directions: expected finite directions with a length", {"directions": torch.zeros(1, 32)}),
        ("directions: expected \\[k, d_model\\]", {"directions": torch.ones(32)}),
        ("scale: expected", {"scale": torch.tensor([-1.0])}),
        ("reads: expected blocks.1.hook_resid_post or a place before it", {"reads": HookPoint(2, "mlp_in")}),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(message: str, arguments: dict[str, Any]) -> None:
    whole = {"point": HERE, "operation": "floor", "directions": D, "targets": T, "columns": projections(D), **arguments}
    with pytest.raises(ValueError, match=message):
        Intervention(**whole)


def test_a_place_that_is_not_there_or_no_part_of_the_stream_is_refused(llama: LanguageModel) -> None:
    with pytest.raises(WeightsFormat, match="expected a block from 0 to 3, found 4"):
        Steering(llama, [Intervention(HookPoint(4), "add", D, T)])
    with pytest.raises(WeightsFormat, match=r"attn.hook_z: expected a place whose value is added to the residual"):
        Steering(llama, [Intervention(HookPoint(1, "attn_z"), "add", D, T)])


@given(st.integers(1, 6), st.integers(0, 1000))
def test_the_solution_stays_within_its_bound_for_any_directions(k: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    # Few dimensions, so that the directions depend on each other.
    units = torch.nn.functional.normalize(torch.randn(k, 3, generator=random), dim=1)
    wanted = torch.randn(k, generator=random)
    on = torch.ones(k, dtype=torch.bool)
    delta = solve(units @ units.T, wanted, on, ~on) @ units
    assert delta.norm() <= 5.8 * wanted.norm()


@given(st.integers(2, 5), st.integers(0, 1000))
def test_well_separated_wishes_are_each_met(k: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    units = torch.nn.functional.normalize(torch.randn(k, 256, generator=random), dim=1)
    wanted = torch.randn(k, generator=random)
    on = torch.ones(k, dtype=torch.bool)
    delta = solve(units @ units.T, wanted, on, ~on) @ units
    torch.testing.assert_close(units @ delta, wanted, atol=2e-3, rtol=1e-3)


@given(st.integers(2, 5), st.integers(0, 1000))
def test_floors_are_met_or_let_go_past_their_target(k: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    units = torch.nn.functional.normalize(torch.randn(k, 256, generator=random) + 4 * torch.eye(k, 256), dim=1)
    wanted = torch.rand(k, generator=random)
    on = torch.ones(k, dtype=torch.bool)
    b = solve(units @ units.T, wanted, on, on)
    assert (b >= 0).all()
    assert (units @ (b @ units) >= wanted - 1e-2).all()
