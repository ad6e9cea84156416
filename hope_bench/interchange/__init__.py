"""Other tools' questions, labels and answers in; benchmarks out, in their formats."""
