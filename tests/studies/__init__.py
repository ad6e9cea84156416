"""Seeded studies behind what the documentation claims, run by `make studies`: minutes each, small versions in the suite."""
