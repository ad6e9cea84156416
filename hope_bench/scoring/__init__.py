"""Answers in; verdicts, metrics, intervals and comparisons out."""
