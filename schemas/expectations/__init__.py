"""What each table and file must be, as plain data. The library that checks it is behind one module elsewhere.

Expectations speak of derived columns (lengths, booleans, ids), never of texts, so that no row's text can reach a
result page. A suite that could pass on an empty table or on nulls would be no gate: every suite states a row count
and that what it measures is not null.
"""

from schemas.expectations.expectation import Expectation, FileKind, Place, Suite
from schemas.expectations.files import of_file
from schemas.expectations.shares import DRIFTING, NUMERIC
from schemas.expectations.tables import curated, ingested, pairs, rejection_sampling, scored

__all__ = [
    "DRIFTING",
    "NUMERIC",
    "Expectation",
    "FileKind",
    "Place",
    "Suite",
    "curated",
    "ingested",
    "of_file",
    "pairs",
    "rejection_sampling",
    "scored",
]
