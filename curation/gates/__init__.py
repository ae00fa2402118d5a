"""Gates: expectations on the ingested rows, the curated set and the pairs; a failed one stops the run."""

from curation.gates.gate import enforce, run_gate

__all__ = ["enforce", "run_gate"]
