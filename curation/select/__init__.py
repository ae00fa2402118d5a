"""Choosing a few of many rows: by scores, with diversity, within a budget, always beside its controls.

A selection is worth what it is worth beside a random one and the longest answers of the same size (arXiv 2402.04833,
2410.09335). So each writes both from the same candidates, as siblings that the hand-over takes along.
"""
