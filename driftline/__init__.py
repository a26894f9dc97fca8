"""Driftline watches machine-learning models while they serve."""

__version__ = "0.1.0"
