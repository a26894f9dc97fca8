"""Detectors over single streams: that something moved, how much, and since when."""
