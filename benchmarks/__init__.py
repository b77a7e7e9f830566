"""Benchmarks: each runs leoreturns and a peer in one process on the same data and prints the ratio."""
