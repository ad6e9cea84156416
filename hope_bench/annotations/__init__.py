"""Annotation files in, `Annotations` out: one module per format."""
