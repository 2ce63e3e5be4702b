"""Names for features and how well they fit: from words, from language models, from others' labels. No model is known
here; what reads or writes text is passed in."""
