"""What is read: raw rows, and preference data that is there already."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.profile.section import Section


class Columns(Section):
    """Names of the raw columns or keys to read, for data in none of the known shapes.

    Either `messages`, or `prompt` (with `input` and `system` where there are such) and `response`.
    """

    prompt: str | None = None
    input: str | None = None
    response: str | None = None
    system: str | None = None
    messages: str | None = None
    id: str | None = None
    ignore: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Columns:
        if self.messages and (self.prompt or self.response):
            raise ValueError("name either messages, or prompt and response")
        if bool(self.prompt) != bool(self.response):
            raise ValueError("prompt and response go together")
        return self


class Source(Section):
    """Where raw data comes from. `path`: `starter`, a file, folder or glob, or `hf:owner/name[:config][:split]`."""

    path: str
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    licence: str = "unknown"
    columns: Columns = Columns()
    limit: int | None = Field(default=None, gt=0)


class Ingest(Section):
    """Limits on what is read."""

    max_line_mb: int = Field(default=16, gt=0)
    part_rows: int = Field(default=50_000, gt=0)
    max_expansion: int = Field(default=200, gt=1, description="a file that unpacks to more times its size is a bomb")
    quarantine_limit: float = Field(default=0.05, ge=0.0, le=1.0)


class ComparisonColumns(Section):
    """Names of the raw columns or keys to read, for comparisons in none of the known shapes.

    `prompt` (with `input` and `system` where there are such), and either `chosen` and `rejected`, or `response` (with
    `score` and `policy` where there are such). `ignore` names keys that are not to become metadata.
    """

    prompt: str | None = None
    input: str | None = None
    system: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    response: str | None = None
    score: str | None = None
    policy: str | None = None
    ignore: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> ComparisonColumns:
        if bool(self.chosen) != bool(self.rejected):
            raise ValueError("chosen and rejected go together")
        if self.chosen and (self.response or self.score or self.policy):
            raise ValueError("name either chosen and rejected, or response with score and policy")
        answers, prompt = self.chosen or self.response, self.prompt
        if bool(answers) != bool(prompt) or (not prompt and (self.input or self.system or self.score or self.policy)):
            raise ValueError("name the prompt and its answers together")
        return self


class Comparisons(Section):
    """Answers that are there already: rated replies, or pairs of which one is preferred.

    They become candidates and labels like those of the run's own, and pass the same gates. `shape`: see
    docs/preference-data.md; `auto` tells it from the file. `name` is the source's name.
    """

    path: str
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    licence: str = "unknown"
    shape: Literal["auto", "hh", "chosen_rejected", "comparison", "annotators", "replies", "solutions"] = "auto"
    policy: str | None = Field(
        default=None, min_length=1, description="replies: the model that wrote them; default: the file's name"
    )
    columns: ComparisonColumns = ComparisonColumns()
    limit: int | None = Field(default=None, gt=0, description="records to read, those that are refused among them")

    @model_validator(mode="after")
    def _mapped(self) -> Comparisons:
        mapped = "chosen_rejected" if self.columns.chosen else "replies" if self.columns.response else "auto"
        if mapped != "auto" and self.shape not in ("auto", mapped):
            raise ValueError(f"columns name the keys of the shape {mapped}; leave out shape, or give that one")
        return self
