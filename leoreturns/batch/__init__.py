"""Batches: a grid of questions as jobs that run side by side and go on where they were stopped."""
