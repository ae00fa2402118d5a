"""Thresholds that stop a run."""

from __future__ import annotations

from pydantic import Field

from schemas.profile.section import Section


class Gates(Section):
    """Thresholds of the gates on the ingested rows and on the curated set."""

    min_rows: int = Field(default=1, ge=1)
    min_pairs: int = Field(default=1, ge=0)
