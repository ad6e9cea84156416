"""python -m hope_bench: the command line."""

from hope_bench.cli import main

main()
