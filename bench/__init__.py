"""Benchmarks: `./bench/run` prints a table of medians against what the same takes by hand."""
