"""How a language model is reached, whatever it is asked for: what the sections that ask one have in common."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.profile.section import Section


class Serving(Section):
    """The model's precision on this machine, or a server and how much patience to have with it."""

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    base_url: str | None = Field(default=None, description="engine openai: such as http://localhost:8000/v1")
    concurrency: int = Field(default=16, gt=0, description="engine openai: requests in flight")
    timeout_s: float = Field(default=120.0, gt=0.0, description="engine openai: read timeout of one attempt")
    deadline_s: float = Field(default=600.0, gt=0.0, description="engine openai: all attempts of one request")
    retries: int = Field(default=5, ge=0)
    max_failed: float = Field(default=0.05, ge=0.0, le=1.0, description="share of failed requests that ends the run")
