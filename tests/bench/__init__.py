"""Speed and memory, measured by `make bench` and written to build/bench.json; never asserted in the test suite."""
