"""`sieveline compare`: evaluated models, or models to evaluate, in one table and one plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from curation.progress import Terminal
from curation.stage import Context
from curation.store import write_file
from flows.evaluate_command import evaluation_settings
from flows.profiles import name_sources
from schemas.errors import UsageError
from schemas.profile import Source
from training.evaluation.compare import comparison
from training.evaluation.page import markdown, page
from training.evaluation.result import RESULT, load
from training.evaluation.run import evaluate

NAME = "comparison"


def run_comparison(
    console: Console,
    what: Sequence[str],
    *,
    held_out: Sequence[str],
    base: str | None,
    data: Sequence[Path],
    ancestors: Sequence[Path],
    profile: str | None,
    overrides: Sequence[str],
    out: Path,
    home: Path,
) -> dict[str, Any]:
    """Write `comparison.json`, `.md` and `.html` into `out` and print the table.

    `what` are folders that `sieveline evaluate` wrote, or `[label=]model` as that command takes them; models are
    evaluated together first, on `held_out`.
    Raises UsageError where evaluations cannot be compared, or models come without held-out prompts; and as evaluating
    does.
    """
    if out.is_file():
        raise UsageError(f"--out {out} is a file", hint="name a folder")
    evaluated = [Path(one) for one in what if Path(one).name == RESULT or (Path(one) / RESULT).is_file()]
    models = [one for one in what if Path(one) not in evaluated]
    results = [load(path) for path in evaluated]
    if models:
        if not held_out:
            raise UsageError(
                f"{models[0]}: not an evaluation, and there are no held-out prompts to evaluate it on",
                hint="name them: --held-out FILE",
            )
        settings, seed = evaluation_settings(models, profile, overrides)
        sources = name_sources([Source(path=path) for path in held_out])
        context = Context(seed=seed, home=home, progress=Terminal())
        results.append(evaluate(models, sources, settings, context, base=base, data=data, ancestors=ancestors))
    told = comparison(results)
    text = markdown(told)
    write_file(out / f"{NAME}.json", orjson.dumps(told, option=orjson.OPT_INDENT_2))
    write_file(out / f"{NAME}.md", text.encode())
    write_file(out / f"{NAME}.html", page(told).encode())
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    return told
