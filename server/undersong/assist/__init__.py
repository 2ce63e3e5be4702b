"""What a writer asks of a draft, as pure functions on plain data: no LSP types, no I/O, no torch."""
