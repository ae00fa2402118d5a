"""Validation of files from anywhere: what a file holds, what that must be, and what is not so."""

from curation.gates.files.validate import ValidatedFile, validate_file

__all__ = ["ValidatedFile", "validate_file"]
