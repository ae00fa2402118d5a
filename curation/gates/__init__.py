"""Gates: expectations on each table of a run; a failed one stops the run."""

from curation.gates.beside import Beside
from curation.gates.candidates import judges
from curation.gates.gate import enforce, run_gate

__all__ = ["Beside", "enforce", "judges", "run_gate"]
