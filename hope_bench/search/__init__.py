"""Annotations and embeddings in, ranked distractors out: one module per strategy."""
