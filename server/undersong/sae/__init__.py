"""Sparse autoencoders: files of each format, encoding and decoding in each architecture. Knows no language model."""
