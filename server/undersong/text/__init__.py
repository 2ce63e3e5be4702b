"""A draft as text: spans, documents, markup, sentences, typography. Knows neither LSP nor models."""
