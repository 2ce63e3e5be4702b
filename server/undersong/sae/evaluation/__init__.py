"""How well an SAE stands for what it reads: figures, probes and reports. Nothing here knows a model; see `subject`."""
