"""Human review of disputed pairs."""

from __future__ import annotations

from pydantic import Field

from schemas.profile.section import Section


class Review(Section):
    """`verdicts` is the file that pairs are made by; by default `review/verdicts.jsonl` in the home folder."""

    verdicts: str | None = None
    use: bool = Field(default=True, description="whether verdicts on this run's answers decide its pairs")
    limit: int = Field(default=200, gt=0, description="most pairs in the queue")
