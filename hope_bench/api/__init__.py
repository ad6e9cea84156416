"""The public face: all that the command line does as functions, exported by `hope_bench` itself."""
