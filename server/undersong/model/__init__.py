"""The language model: loading, reading with cached prefixes, steering, writing. Knows nothing of SAEs.

load, language_model    a folder or hub name -> LanguageModel
blocks, layouts, sites  any architecture's decoder blocks, and the hook points inside them: read and added to
tokens                  text <-> tokens
kv_cache, fork          WindowCache: one window of a draft, cropped and extended; forks for candidates
interventions           deltas on the residual stream
sampling, generation    writing, a token a step
scoring, divergence     reading candidates again; how far steering moves the model
"""
