"""Preference pairs: one file a policy, and one builder that guards what every policy must keep."""

from curation.preference.build import build_pairs

__all__ = ["build_pairs"]
