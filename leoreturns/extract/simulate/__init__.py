"""Simulated extracts: linked tables in the shape of LEO, about persons who do not exist."""

from leoreturns.extract.simulate.write import simulate_extract

__all__ = ["simulate_extract"]
