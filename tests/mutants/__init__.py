"""Does a unit test notice when one token of the code is wrong? CONTRIBUTING.md says how a sample is drawn and read."""
