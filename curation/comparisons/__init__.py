"""Preference data in: pairs, judged answers and scored replies in the shapes in use, as completions and labels."""

from curation.comparisons.cleaning import editing
from curation.comparisons.run import read_comparisons

__all__ = ["editing", "read_comparisons"]
