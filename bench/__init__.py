"""Benchmarks: what real time costs and how fast a render is. Never a timed test."""
