"""Other tools themselves, run on what hope-bench exports: `make interop`. Not in the suite: it installs them."""
