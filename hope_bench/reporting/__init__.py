"""One run as one page: numbers, charts, and the hallucinations themselves, self-contained."""
