"""Perplexity of the response, with and without its instruction, and the instruction-following difficulty of the two.

Q is everything before the last assistant turn, A that turn's text of N tokens, and s a mean over the N tokens of A, in
nats, under one causal language model:

    s(A|Q) = -1/N sum_i log p(a_i | Q, a_<i)          s(A) = -1/N sum_i log p(a_i | a_<i)

    score_ppl        exp s(A|Q)               perplexity of the response given the prompt
    score_ppl_alone  exp s(A)                 of the response without its instruction
    score_ifd        s(A|Q) / s(A)            Cherry LLM: Li et al. 2023, arXiv 2308.12032: a ratio of losses
    score_ifd_ppl    exp s(A|Q) / exp s(A)    Superfiltering: Li et al. 2024, arXiv 2402.00530: a ratio of perplexities
    score_pmi        s(A) - s(A|Q)            mean pointwise mutual information of prompt and response, a token

`score_ifd_ppl` is exp(-score_pmi): the two put rows into the same order, reversed. `score_ifd` is another order.
An IFD of 1 and more means that the instruction does not help to predict the response; both papers leave such rows out.

The prompt is written with the model's own chat template, and no text in it can become a control token. A without Q is
what follows the template's opening of an answer (`<|im_start|>assistant\\n`) and nothing before it, so both sums are
over the same N tokens. The token that ends the turn is not counted. With `template = "plain"`, and for models without
a template, the prompt's text and a newline stand before the response, as in Superfiltering's code.

Nothing is cut: a response that does not fit into `max_length` tokens has no score, and where only the whole
conversation does not, it has `score_ppl_alone` alone. docs/scores.md tells how the published code differs.
"""

from __future__ import annotations

from typing import Any, Literal

import polars as pl
from pydantic import Field

from curation.stage import Context, Result, StageConfig

SCOPE = "set"
_NAME = "scoring.perplexity"


class Config(StageConfig):
    """The model, how it is shown the rows, and how much at a time."""

    model: str = Field(
        default="smollm2-135m-instruct", description="causal model: smollm2-135m-instruct, a folder or a Hub id"
    )
    template: Literal["auto", "chat", "plain"] = Field(default="auto", description="auto: chat where the model has one")
    max_length: int = Field(default=2048, ge=2, description="most tokens of prompt and response together")
    batch_tokens: int = Field(default=4096, ge=1, description="most tokens to a batch, padding counted")
    suffix: str = Field(default="", pattern=r"^[a-z0-9_]*$", description="ends the names of the columns")


def fingerprint(config: Config, context: Context) -> Any:
    """The model, the libraries and the precision."""
    from curation.scoring.perplexity.causal import CausalModel

    return CausalModel(config, context.home).identity()


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Columns as above, with `suffix`. Reasons for a null: no_response, no_prompt, response_too_long, prompt_too_long,
    template_refused, score_not_finite; where the reason is about the prompt, `score_ppl_alone` is there.

    Raises EngineError where the model cannot be loaded or the GPU has no room for a batch.
    """
    # Imported here: reading a profile should not cost the libraries behind this.
    from curation.scoring.columns import as_scores, open_journal
    from curation.scoring.finished import finish
    from curation.scoring.perplexity.causal import CausalModel
    from curation.scoring.perplexity.passages import Passages, tokens_of

    model = CausalModel(config, context.home)
    passages = Passages(model)
    passages.read(rows)
    with (
        open_journal(context, _NAME, model.identity()) as journal,
        context.progress.task(f"{_NAME}, tokens", passages.tokens) as task,
    ):
        plan = model.plan(list(passages.unique.values()))
        losses = finish(plan, lambda passage: passage.key, model.losses, journal, task, tokens_of)
    found = passages.frame(losses).select("row_id", "reason", *_columns(config.suffix))
    return as_scores(found, {"model": model.name, "template": model.template, "tokens": passages.tokens})


def _columns(suffix: str) -> list[pl.Expr]:
    given, alone = (pl.col(name) / pl.col("tokens") for name in ("given", "alone"))
    end = f"_{suffix.removeprefix('_')}" if suffix else ""
    scores = {
        "ppl": given.exp(),
        "ppl_alone": alone.exp(),
        "ifd": given / alone,
        "ifd_ppl": (given - alone).exp(),
        "pmi": alone - given,
    }
    return [score.alias(f"score_{name}{end}") for name, score in scores.items()]
