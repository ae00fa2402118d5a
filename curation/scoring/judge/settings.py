"""The engine that judges, as what generation engines are made from."""

from __future__ import annotations

from typing import Any

from curation.generation.protocol import Sampling
from curation.stage import StageConfig
from schemas.profile.generation import Generation
from schemas.profile.judging import Judging


class Settings(Judging, StageConfig):
    """A stage's configuration with the keys of a judge."""

    def generation(self) -> Generation:
        """The same as a profile's section, which engines are made from."""
        shared: dict[str, Any] = self.model_dump(include=set(Generation.model_fields))
        return Generation(**shared)

    def sampling(self) -> Sampling:
        """How replies are drawn."""
        return Sampling(self.temperature, self.top_p, self.max_tokens)
