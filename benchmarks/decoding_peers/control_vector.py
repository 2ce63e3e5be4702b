"""llama.cpp: a control vector on the job's layer, decoded by its C interface; the prompt stays in its cache.

The vector acts on what leaves a block, as the hooks of the others do, and on all rows of a batch. It is set before the
prompt's last token is decoded; what was written is removed from the cache before the next run.
"""

from __future__ import annotations

import ctypes
import time
from typing import Any

import llama_cpp as c
import numpy as np

from benchmarks.decoding_peers.job import Job, Unable, Written

MOST_ROWS = 8
MOST_TOKENS = 128


@c.llama_log_callback
def _silent(_level: int, _text: bytes, _data: Any) -> None:
    pass


class Model:
    def __init__(self, job: Job, precision: str) -> None:
        if job.layer < 1:
            raise Unable("a control vector cannot act on block 0")
        c.llama_log_set(_silent, ctypes.c_void_p(0))
        c.llama_backend_init()
        how = c.llama_model_default_params()
        # In memory for good, as the weights of the others are: a mapped file may be let go of while others run.
        how.use_mmap = False
        model = c.llama_model_load_from_file(job.gguf[precision].encode(), how)
        if not model:
            raise Unable(f"does not load {precision}")
        self._job, self._model = job, model
        vocabulary: Any = c.llama_model_get_vocab(model)
        self._vocabulary = c.llama_vocab_n_tokens(vocabulary)
        settings = c.llama_context_default_params()
        settings.n_ctx = len(job.prompt) + MOST_ROWS * MOST_TOKENS
        settings.n_batch = settings.n_ubatch = 512
        settings.n_seq_max = MOST_ROWS
        settings.n_threads = settings.n_threads_batch = job.threads
        # Rows share the prompt's cells.
        settings.kv_unified = True
        settings.offload_kqv = False
        self._context: Any = c.llama_init_from_model(model, settings)
        if not self._context:
            raise Unable("no context")
        self._memory: Any = c.llama_get_memory(self._context)
        self._batch = c.llama_batch_init(512, 0, MOST_ROWS)
        # Rows of blocks 1, 2, ...: block 0 has none.
        n_layers, width = c.llama_model_n_layer(model), c.llama_model_n_embd(model)
        table = np.zeros((n_layers - 1, width), dtype=np.float32)
        table[job.layer - 1] = job.vector
        self._table = table
        self._decode(job.prompt[:-1], 0, [[0]] * (len(job.prompt) - 1))

    def write(self, rows: int, tokens: int, steered: bool) -> Written:
        if rows > MOST_ROWS or tokens > MOST_TOKENS:
            raise Unable(f"no room for {rows} rows of {tokens}")
        start = len(self._job.prompt) - 1
        for row in range(1, rows):
            c.llama_memory_seq_cp(self._memory, 0, row, 0, start)
        self._set(steered)
        ids: list[list[int]] = [[] for _ in range(rows)]
        stamps: list[float] = []
        chosen = [self._job.prompt[-1]] * rows
        for step in range(tokens):
            self._decode(chosen, start + step, [[row] for row in range(rows)], together=True)
            chosen = [self._likeliest(row) for row in range(rows)]
            stamps.append(time.perf_counter())
            for row, token in zip(ids, chosen, strict=True):
                row.append(token)
        self._set(False)
        c.llama_memory_seq_rm(self._memory, 0, start, -1)
        for row in range(1, rows):
            c.llama_memory_seq_rm(self._memory, row, -1, -1)
        return Written(ids, stamps)

    def _set(self, steered: bool) -> None:
        rows, width = self._table.shape
        pointer = self._table.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) if steered else None
        size = self._table.size if steered else 0
        if c.llama_set_adapter_cvec(self._context, pointer, size, width, 1, rows):  # pyright: ignore
            raise Unable("refuses the control vector")

    def _decode(self, tokens: list[int], start: int, sequences: list[list[int]], together: bool = False) -> None:
        """`tokens` of one row after each other from position `start`, or, `together`, of one row each, all there."""
        batch = self._batch
        batch.n_tokens = len(tokens)
        for at, (token, rows) in enumerate(zip(tokens, sequences, strict=True)):
            batch.token[at] = token
            batch.pos[at] = start if together else start + at
            batch.n_seq_id[at] = len(rows)
            for number, row in enumerate(rows):
                batch.seq_id[at][number] = row
            batch.logits[at] = together
        if (failed := c.llama_decode(self._context, batch)) != 0:
            raise Unable(f"llama_decode answers {failed}")

    def _likeliest(self, row: int) -> int:
        pointer = c.llama_get_logits_ith(self._context, row)
        return int(np.ctypeslib.as_array(pointer, shape=(self._vocabulary,)).argmax())
