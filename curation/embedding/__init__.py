"""Texts as vectors: encoders, a cache of what they made, search by cosine similarity, and calibrated thresholds."""
