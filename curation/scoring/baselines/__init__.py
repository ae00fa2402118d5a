"""Scorers that know nothing of what an answer says: what a reward has to beat."""

from curation.scoring.baselines.format import FormatScorer, format_of, marks_in
from curation.scoring.baselines.length import LengthScorer, length_of

__all__ = ["FormatScorer", "LengthScorer", "format_of", "length_of", "marks_in"]
