"""Seeded studies whose tables are parts of the documentation: `make studies`."""
