"""Every reader of outside data and every server reply, fed mutated input without end: `python -m tests.fuzz` (make fuzz)."""
