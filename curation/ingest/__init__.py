"""Raw files into rows: every format and shape in use, every bad line quarantined, nothing lost without a word."""

from curation.ingest.files import expand
from curation.ingest.quarantine import check_quarantine
from curation.ingest.run import ingest, read_into

__all__ = ["check_quarantine", "expand", "ingest", "read_into"]
