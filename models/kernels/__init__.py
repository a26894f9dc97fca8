"""What runs for every event, compiled: one algorithm a file, over records of flat arrays."""
