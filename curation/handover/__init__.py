"""The hand-over: three sets in the Hugging Face layout with TRL's columns, a dataset card, the report, the record."""

from curation.handover.export import export

__all__ = ["export"]
