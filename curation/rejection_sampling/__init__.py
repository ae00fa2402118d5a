"""Rejection sampling: the best of a prompt's candidates, what that cost, and what it gained."""

from curation.rejection_sampling.build import best_of_n, sample

__all__ = ["best_of_n", "sample"]
