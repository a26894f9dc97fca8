"""Benchmarks: each prints a table, writes ``benchmarks/results/NAME.json``, and exits 1 if a bound is missed."""
