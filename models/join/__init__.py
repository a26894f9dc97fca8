"""Prediction ⋈ label, for one model."""
