"""How a front end finds an engine, or starts it, and talks to it. Knows neither LSP nor torch."""
