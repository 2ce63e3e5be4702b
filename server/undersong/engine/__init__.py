"""The process that owns the model: it joins model, SAEs and catalogue, schedules and serves."""
