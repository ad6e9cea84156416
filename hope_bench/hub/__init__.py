"""Benchmarks, runs and results to and from the Hugging Face Hub."""
