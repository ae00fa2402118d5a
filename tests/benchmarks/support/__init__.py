"""What the measurements share: corpora with planted truth, whole-process figures, the peers' programs."""
