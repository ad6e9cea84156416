"""Answers in, verdict counts, metrics, intervals and comparisons out."""
