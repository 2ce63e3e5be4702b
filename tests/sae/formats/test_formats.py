"""Every format: found, read, and computing what its makers' rule says, written out on the file's own numbers.

Where the original library can be installed, tests/peers compares with its code instead of ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.sae.formats import making
from tests.sae.formats.making import Sample, inputs
from tests.sae.formats.samples import SAMPLES
from undersong.hook_points import parse
from undersong.sae.formats import FORMATS, files
from undersong.sae.load import format_of, load_sae, read, read_config


def test_activations_and_reconstructions_follow_the_makers_rule(sample: Sample) -> None:
    sae, x = load_sae(sample.path), inputs()
    expected = sample.encode(x)
    found = sae.encode(x)
    assert (expected > 0).any(dim=1).float().mean() > 0.9
    assert torch.equal(found > 0, expected > 0)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(sae.rebuild(x), sample.rebuild(x), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(sae.encode_columns(x, [5, 40]), expected[:, [5, 40]], atol=1e-4, rtol=1e-4)


def test_a_format_is_known_by_its_files_and_says_where_it_reads(name: str, sample: Sample) -> None:
    format_name, reads, writes, _ = SAMPLES[name]
    config = read_config(sample.path)
    assert format_of(sample.path).name == format_name
    assert config.point == parse(reads) and config.hook_layer == config.point.layer
    assert (config.hook_out and str(config.point_out)) == (writes and str(parse(writes)))
    assert config.sizes == {"d_in": making.D_IN, "d_sae": len(sample.weights["W_dec"]),
                            "d_out": sample.weights["W_dec"].shape[1]}  # fmt: skip


GEMMA_2, GEMMA_3 = "layer_20/width_16k/average_l0_71/params.npz", "layer_9_width_16k_l0_medium/params.safetensors"


@pytest.mark.parametrize(
    ("place", "reads", "model"),
    [
        (f"gemma-scope-2b-pt-mlp/{GEMMA_2}", "blocks.20.hook_mlp_out", "google/gemma-2-2b"),
        (f"gemma-scope-9b-pt-att/{GEMMA_2}", "blocks.20.attn.hook_z", "google/gemma-2-9b"),
        (f"gemma-scope-9b-it-res/{GEMMA_2}", "blocks.20.hook_resid_post", "google/gemma-2-9b-it"),
        (f"gemma-scope-2-4b-it/mlp_out/{GEMMA_3}", "blocks.9.hook_mlp_out", "google/gemma-3-4b-it"),
        (f"gemma-scope-2-270m-it/attn_out_all/{GEMMA_3}", "blocks.9.attn.hook_z", "google/gemma-3-270m-it"),
    ],
)
def test_what_files_of_gemma_scope_read_is_told_by_their_path(
    tmp_path: Path, place: str, reads: str, model: str
) -> None:
    w, path = making.weights(threshold=making.thresholds()), tmp_path / place
    making.write(path, {name.lower(): tensor for name, tensor in w.items()})
    config = read_config(path)
    assert (str(config.point), config.hook_out, config.model_name) == (reads, None, model)
    expected = making.jump(making.pre(w, inputs(), False), w["threshold"])
    torch.testing.assert_close(load_sae(path).encode(inputs()), expected, atol=1e-5, rtol=1e-5)


def test_what_was_assumed_is_listed_with_its_reason(name: str, sample: Sample) -> None:
    assumptions = read_config(sample.path).assumptions
    assert all(each.what and each.value and each.why for each in assumptions)
    if not name.startswith("saelens"):
        assert {"b_dec", "BOS"} <= {each.what for each in assumptions}


def test_the_configuration_is_read_without_numbers(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("numbers were read")

    monkeypatch.setattr(files, "read_all", refuse)
    monkeypatch.setattr(files, "_npz_tensors", refuse)
    assert read_config(sample.path) == read_config(sample.path)


def test_what_a_configuration_states_its_path_need_not_say(tmp_path: Path) -> None:
    sample, moved = SAMPLES["gemma scope 2"][3](tmp_path / "hub"), tmp_path / "downloads"
    sample.path.rename(moved)
    config = read_config(moved)
    assert str(config.point) == "blocks.9.hook_resid_post" and config.published_l0 == 60
    assert config.model_name == "google/gemma-3-270m"
    assert torch.equal(load_sae(moved).encode(inputs()) > 0, sample.encode(inputs()) > 0)


def test_weights_are_our_own_and_whole(sample: Sample) -> None:
    held = read(sample.path)
    assert all(tensor.is_contiguous() for tensor in held.weights.values())


def test_every_format_of_the_table_has_a_sample() -> None:
    assert {entry.name for entry in FORMATS} == {entry[0] for entry in SAMPLES.values()}
