"""Verifiable rewards: which rule decides whether an answer is right, and the rule's options."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.profile.section import Section

# What becomes of an answer in which the rule finds nothing to judge (no final number, no code).
Unanswered = Literal["wrong", "abstain"]


class NumericRule(Section):
    """The final number of the answer equals that of the reference, exactly."""

    rule: Literal["numeric"] = "numeric"
    last_number: bool = Field(default=False, description="without a marked final answer, the last number of the text")
    unanswered: Unanswered = "wrong"
    several: Literal["abstain", "last", "wrong"] = Field(
        default="abstain", description="different final answers, the right one among them"
    )


class PatternRule(Section):
    """A regular expression (syntax of Rust's `regex`) matches the answer."""

    rule: Literal["pattern"] = "pattern"
    pattern: str = Field(min_length=1)
    whole: bool = Field(default=True, description="all of the answer, but for white space around it; else some part")


class JsonRule(Section):
    """The answer is JSON, and follows the schema where there is one."""

    rule: Literal["json"] = "json"
    json_schema: dict[str, Any] | None = Field(default=None, description="JSON Schema, draft 2020-12")
    fence: Literal["never", "around", "within"] = Field(
        default="around",
        description="one code fence: not allowed, allowed around all of the answer, or somewhere in it",
    )


class ConstraintsRule(Section):
    """The instructions in the row's metadata (`instruction_id_list` and `kwargs`, as in IFEval) are followed."""

    rule: Literal["constraints"] = "constraints"
    loose: bool = Field(default=False, description="also without the first and last line and without asterisks")
    share: bool = Field(default=False, description="the share of instructions followed, not whether all are")


class CodeRule(Section):
    """Every block of code in the answer parses. Nothing is executed."""

    rule: Literal["code"] = "code"
    language: Literal["python", "json", "toml"] | None = Field(
        default=None, description="of blocks that name none, and of an answer without blocks"
    )
    unanswered: Unanswered = "wrong"


AnyRule = Annotated[NumericRule | PatternRule | JsonRule | ConstraintsRule | CodeRule, Field(discriminator="rule")]
