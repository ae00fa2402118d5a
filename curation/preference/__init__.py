"""Preference pairs: one file a policy, one a filter, and a builder that accounts for every pair it considered."""

from curation.preference.build import build_pairs

__all__ = ["build_pairs"]
