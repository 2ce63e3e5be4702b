"""Every published layout by a name of its own, and who writes a sample of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.sae.formats import libraries, releases
from tests.sae.formats.making import Sample

# Name -> (the format that reads it, the hook point it reads and the one it rebuilds if that is another, the writer).
SAMPLES: dict[str, tuple[str, str, str | None, Callable[[Path], Sample]]] = {
    "saelens, layer norm": ("SAELens", "blocks.2.hook_resid_post", None, libraries.saelens_topk_layer_norm),
    "saelens, constant norm": ("SAELens", "blocks.2.hook_resid_post", None, libraries.saelens_constant_norm),
    "saelens, skip transcoder":
        ("SAELens", "blocks.1.mlp.hook_in", "blocks.1.hook_mlp_out", libraries.saelens_skip_transcoder),
    "saelens training, batchtopk":
        ("SAELens training folder", "blocks.2.hook_resid_post", None, libraries.saelens_training_batchtopk),
    "saelens training, whitened":
        ("SAELens training folder", "blocks.2.hook_resid_post", None, libraries.saelens_training_whitened),
    "gemma scope": ("Gemma Scope", "blocks.20.hook_resid_post", None, releases.gemma_scope),
    "gemma scope, embedding": ("Gemma Scope", "hook_embed", None, releases.gemma_scope_embedding),
    "gemma scope, transcoder":
        ("Gemma Scope", "blocks.3.ln2.hook_normalized", "blocks.3.hook_mlp_out", releases.gemma_scope_transcoder),
    "gemma scope 2": ("Gemma Scope 2", "blocks.9.hook_resid_post", None, releases.gemma_scope_2),
    "gemma scope 2, transcoder":
        ("Gemma Scope 2", "blocks.5.mlp.hook_in", "blocks.5.hook_mlp_out", releases.gemma_scope_2_transcoder),
    "gemma scope 2, plain transcoder":
        ("Gemma Scope 2", "blocks.5.mlp.hook_in", "blocks.5.hook_mlp_out", releases.gemma_scope_2_plain_transcoder),
    "llama scope": ("Llama Scope", "blocks.15.hook_resid_post", None, releases.llama_scope),
    "llama scope, long rows": ("Llama Scope", "blocks.15.hook_resid_post", None, releases.llama_scope_long_rows),
    "llama scope r1": ("Llama Scope", "blocks.15.hook_resid_post", None, releases.llama_scope_r1),
    "AutoEncoder": ("dictionary_learning", "blocks.3.hook_resid_post", None, libraries.dl_standard),
    "AutoEncoderNew": ("dictionary_learning", "blocks.3.hook_resid_post", None, libraries.dl_new),
    "GatedAutoEncoder": ("dictionary_learning", "blocks.3.hook_resid_post", None, libraries.dl_gated),
    "AutoEncoderTopK": ("dictionary_learning", "blocks.3.hook_resid_post", None, libraries.dl_topk),
    "BatchTopKSAE": ("dictionary_learning", "blocks.3.hook_resid_post", None, libraries.dl_batch_topk),
    "MatryoshkaBatchTopKSAE": ("dictionary_learning", "blocks.3.hook_resid_post", None, libraries.dl_matryoshka),
    "JumpReluAutoEncoder": ("dictionary_learning", "blocks.3.hook_resid_post", None, libraries.dl_jumprelu),
    "sparsify": ("sparsify", "blocks.10.hook_resid_post", None, libraries.sparsify),
    "sparsify, skip transcoder":
        ("sparsify", "blocks.4.mlp.hook_in", "blocks.4.mlp.hook_out", libraries.sparsify_transcoder),
    "sparsify, before transcode":
        ("sparsify", "blocks.4.mlp.hook_in", "blocks.4.mlp.hook_out", libraries.sparsify_before_transcode),
    "openai v1": ("OpenAI", "blocks.6.hook_mlp_out", None, releases.openai_relu),
    "openai v5": ("OpenAI", "blocks.6.hook_resid_post", None, releases.openai_topk),
    "goodfire": ("Goodfire or qresearch", "blocks.19.hook_resid_post", None, releases.goodfire),
    "qresearch": ("Goodfire or qresearch", "blocks.19.hook_resid_post", None, releases.qresearch),
    "qwen-scope": ("Qwen-Scope", "blocks.7.hook_resid_post", None, releases.qwen_scope),
    "qwen-scope, config.json": ("Qwen-Scope", "blocks.7.hook_resid_post", None, releases.qwen_scope_with_config),
    "circuit-tracer":
        ("circuit-tracer transcoder", "blocks.3.mlp.hook_in", "blocks.3.mlp.hook_out", releases.circuit_tracer),
    "kissane": ("attention SAEs of GPT-2", "blocks.5.attn.hook_z", None, releases.kissane),
}  # fmt: skip
