"""The engine's requests: one file and one line each. A module's `register(app)` adds its route."""

HANDLERS: dict[str, str] = {
    name: f"undersong.engine.handlers.{name}"
    for name in (
        "read", "write", "search", "card", "calibrate", "blend", "trace", "vectors", "notes", "close", "health",
    )
}  # fmt: skip
AT_ONCE = frozenset({"health"})
"""Those that are answered while the engine loads: their modules import no torch."""
