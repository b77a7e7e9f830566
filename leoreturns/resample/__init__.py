"""Resampling: plans, replicate weights, and the intervals made from replicates."""
