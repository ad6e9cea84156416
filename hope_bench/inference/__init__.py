"""From a benchmark and an adapter to answers.jsonl: plan, steps, resume, processes."""
