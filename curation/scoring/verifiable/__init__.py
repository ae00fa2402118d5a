"""Rewards that are checked, not estimated: a rule says whether an answer is right, without a model."""

from curation.scoring.verifiable.verdict import Verdict, Verdicts
from curation.scoring.verifiable.verifier import Verifier, make_verifier, verdicts_of

__all__ = ["Verdict", "Verdicts", "Verifier", "make_verifier", "verdicts_of"]
