"""A look at a benchmark: its counts, and a gallery of its images and questions."""
