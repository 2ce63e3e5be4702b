"""The benchmark against other engines: the same weights in GGUF, plain arithmetic, a table that says what failed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.bandwidth import read_speed
from benchmarks.decoding import same, variants
from benchmarks.decoding_peers import BASE, LLAMA, OURS, PEERS
from benchmarks.decoding_peers.figures import medians, over, pairs, shares, summary, table, variant
from benchmarks.decoding_peers.job import Job, Unable, Written, agreeing
from benchmarks.decoding_peers.models import weight_counts
from benchmarks.decoding_peers.ours import Model
from benchmarks.decoding_peers.processes import Case, Process, groups

from tests.support.tiny_models import N_LAYERS, tiny_network, tiny_tokenizer

ONE, EIGHT, PLAIN = variant(1, True), variant(8, True), variant(1, False)
PROMPT = [3, 1, 4, 1, 5, 9, 2, 6]


def write_model(folder: Path, architecture: str) -> Path:
    tiny_network(architecture).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def job_of(folder: Path, files: dict[str, str] | None = None, layer: int = 2) -> Job:
    vector = torch.randn(32, generator=torch.Generator().manual_seed(0)).tolist()
    read, held = weight_counts(folder)
    return Job("tiny", str(folder), files or {}, PROMPT, layer, vector, read, held, threads=1)


@pytest.fixture(autouse=True)
def _without_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def folder(request, tmp_path_factory):
    return write_model(tmp_path_factory.mktemp(request.param), request.param)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_gguf_file_holds_the_weights(folder, tmp_path, precision):
    gguf = pytest.importorskip("gguf")
    from benchmarks.decoding_peers.gguf_files import write_gguf

    write_gguf(folder, tmp_path / "m.gguf", precision)
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    found = {tensor.name: torch.tensor(tensor.data) for tensor in reader.tensors}
    config = json.loads((folder / "config.json").read_text("utf-8"))
    kind = config["model_type"]
    assert reader.get_field("general.architecture").contents() == kind
    assert reader.get_field(f"{kind}.block_count").contents() == N_LAYERS
    weights = tiny_network(kind).state_dict()
    dtype = getattr(torch, precision)
    stored = sum(tensor.numel() for name, tensor in weights.items() if name != "lm_head.weight" or kind == "llama")
    assert sum(tensor.numel() for tensor in found.values()) == stored
    assert all(tensor.dtype == torch.float32 for tensor in found.values() if tensor.ndim == 1)
    if kind == "gpt2":
        assert torch.equal(found["blk.1.ffn_up.weight"], weights["transformer.h.1.mlp.c_fc.weight"].T.to(dtype))
        assert torch.equal(found["blk.1.attn_norm.bias"], weights["transformer.h.1.ln_1.bias"])
        assert torch.equal(found["position_embd.weight"], weights["transformer.wpe.weight"])
        return
    assert torch.equal(found["blk.2.ffn_down.weight"], weights["model.layers.2.mlp.down_proj.weight"].to(dtype))
    # Each head's halves lie side by side: row 0 of its first half, row 0 of its second, row 1 of the first, ...
    d_head = config["hidden_size"] // config["num_attention_heads"]
    for part, name in (("attn_q", "q_proj"), ("attn_k", "k_proj")):
        original = weights[f"model.layers.2.self_attn.{name}.weight"].to(dtype)
        for row in range(len(original)):
            head, place = divmod(row, d_head)
            half, at = divmod(place, d_head // 2)
            assert torch.equal(found[f"blk.2.{part}.weight"][head * d_head + 2 * at + half], original[row])


def test_only_known_architectures_are_written(tmp_path):
    pytest.importorskip("gguf")
    from benchmarks.decoding_peers.gguf_files import write_gguf

    (tmp_path / "config.json").write_text('{"model_type": "opt"}', "utf-8")
    with pytest.raises(ValueError, match="expected one of llama, gpt2, found opt"):
        write_gguf(tmp_path, tmp_path / "m.gguf", "float32")


def test_llama_cpp_writes_what_we_write(folder, tmp_path):
    pytest.importorskip("llama_cpp")
    from benchmarks.decoding_peers.control_vector import Model as Vector
    from benchmarks.decoding_peers.gguf_files import write_gguf

    write_gguf(folder, tmp_path / "m.gguf", "float32")
    job = job_of(folder, {"float32": str(tmp_path / "m.gguf")})
    own, other = Model(job, "float32"), Vector(job, "float32")
    for rows, steered in ((1, False), (2, True), (1, True), (1, False)):
        expected = own.write(rows, 8, steered).ids
        assert other.write(rows, 8, steered).ids == expected
    with pytest.raises(Unable, match="block 0"):
        Vector(job_of(folder, layer=0), "float32")


def test_transformers_with_a_hook_writes_what_we_write(folder):
    from benchmarks.decoding_peers.generate_hook import Model as Hooked

    job = job_of(folder)
    own, other = Model(job, "float32"), Hooked(job, "float32")
    steered, plain = own.write(2, 6, True), own.write(2, 6, False)
    assert steered.ids != plain.ids and steered.ids[0] == steered.ids[1] and len(steered.stamps) == 6
    assert other.write(2, 6, True).ids == steered.ids and other.write(1, 6, False).ids == plain.ids[:1]


def test_a_peer_in_its_own_process(tmp_path):
    folder = write_model(tmp_path / "model", "llama")
    job_of(folder).write(tmp_path / "job.json")
    with Process(Case(OURS, "float32"), tmp_path / "job.json", tmp_path / "log") as process:
        assert process.ready["version"]
        reply = process.ask(1, 4, True)
        assert reply["ids"] == Model(job_of(folder), "float32").write(1, 4, True).ids and reply["seconds"] > 0
        with pytest.raises(Unable, match="ZeroDivisionError"):
            process.ask(1, 1, True)
        assert process.ask(1, 4, True)["ids"] == reply["ids"]
    replace(job_of(folder), folder=str(tmp_path / "none")).write(tmp_path / "job.json")
    with pytest.raises(Unable, match="there is no folder"):
        Process(Case(OURS, "float32"), tmp_path / "job.json", tmp_path / "log")


def test_rows_of_an_embedding_are_not_read(folder, tmp_path):
    weights = tiny_network(json.loads((folder / "config.json").read_text("utf-8"))["model_type"]).state_dict()
    read, held = weight_counts(folder)
    rows = {"model.embed_tokens.weight", "transformer.wpe.weight"} & weights.keys()
    assert held - read == sum(weights[name].numel() for name in rows)


def test_time_is_of_steps_after_the_first():
    assert Written([[1, 2, 3]], [10.0, 10.5, 11.5]).seconds == 0.75


def test_ids_agree_up_to_the_first_other_one():
    assert agreeing([[1, 2, 3, 4]], [[1, 2, 9, 4]]) == {"same": 2, "of": 4}
    assert agreeing([[1, 2]], [[1, 2]]) == {"same": 2, "of": 2}
    texts = {f"{BASE}, float32": {ONE: [[1, 2]]}, f"{LLAMA}, float16": {ONE: [[1, 3]], PLAIN: [[4, 4]]}}
    assert same(texts, f"{LLAMA}, float16") == {ONE: {"same": 1, "of": 2}}
    assert same(texts, f"{OURS}, float16") == {}


def test_ratios_are_those_of_medians_and_of_pairs():
    ours, theirs = {ONE: [0.01, 0.03, 0.02], EIGHT: [0.03, 0.03, 0.08]}, {ONE: [0.04, 0.05, 0.06], PLAIN: [1.0]}
    assert medians(ours)[ONE] == {"ms": 20.0, "low": 10.0, "high": 30.0, "n": 3}
    assert over(ours, theirs) == {ONE: pytest.approx(2.5)}
    assert pairs(ours, EIGHT, ONE) == {"ratio": pytest.approx(3.0), "low": 1.0, "high": 4.0}
    assert pairs(ours, EIGHT, PLAIN) is None
    assert shares(ours, weight_bytes=1e8, bandwidth=1e10)[ONE] == pytest.approx(0.5)


def test_variants_to_compare_stand_side_by_side_and_change_places():
    assert variants(OURS, 1) == [(1, True), (1, False), (8, True), (8, False)] == variants(OURS, 0)[::-1]
    assert variants("nnsight", 1) == [(1, True), (8, True)]


def test_groups_fit_and_share_the_first():
    job = Job("m", "", {}, [], 1, [], 0, 10**9)
    base, own, llama = Case(BASE, "float32"), Case(OURS, "float16"), Case(LLAMA, "float32")
    assert groups([base, own, llama], job, 1e12) == [[base, own, llama]]
    assert groups([base, own, llama], job, 10.5e9) == [[base, own], [base, llama]]
    # What fits nowhere is tried alone with the first.
    assert groups([base, llama], job, 1.0) == [[base, llama]]


def test_the_table_says_what_could_not_be_measured():
    group = {f"{BASE}, float32": {ONE: [0.02]}, f"{OURS}, float32": {ONE: [0.01], EIGHT: [0.02]}}
    counts = dict.fromkeys(group, 1e8)
    peers: dict[str, Any] = {
        name: row | {"unable": {}, "same_ids": {ONE: {"same": 3, "of": 4}}}
        for name, row in summary(group, group, counts, 2e10).items()
    }
    peers[f"{BASE}, float32"]["unable"] = {EIGHT: "no room"}
    peers["nnsight, float32"] = {"failed": "ModuleNotFoundError: nnsight"}
    speed = {"of_weights": 20.0, "buffer_mb": 100.0, "large": 10.0, "large_mb": 1000.0}
    content = {"weights": 25, "bandwidth": speed, "cores_busy_elsewhere": 0.5, "peers": peers}
    shown = table("m", content)
    assert peers[f"{OURS}, float32"]["speed_over"] == {f"{BASE} with a hook": {ONE: 2.0}}
    assert "2.00" in shown and "50%" in shown and "3 of 4" in shown
    assert "steered, 8 rows: no room" in shown and "ModuleNotFoundError: nnsight" in shown
    assert "eight rows over one 2.00 (2.00 to 2.00)" in shown


def test_every_peer_has_its_file():
    for entry in PEERS.values():
        assert (Path(__file__).parents[2] / f"benchmarks/decoding_peers/{entry.module}.py").is_file()


def test_memory_is_read_at_some_speed():
    assert read_speed(1 << 20, threads=1, seconds=0.01) > 1e6
