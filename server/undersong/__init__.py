"""Undersong: the meaning that runs beneath a text. See docs/architecture.md for where everything is."""

__version__ = "0.1.0"
