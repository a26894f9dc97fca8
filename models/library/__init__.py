"""River's detectors and estimators by name: what a configuration may choose from, built, fed and kept as plain data."""
