"""Training SAEs on activations: where they come from, one SAE as it learns, schedules, the run as a whole.

Knows no language model: activations come from a function that is handed in.
"""
