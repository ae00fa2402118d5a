"""Several evaluated models of one base in one table: figures with intervals, what each cost, and its data's digest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from curation.digest import sha256_value
from schemas.errors import UsageError
from training.evaluation.result import Evaluation

# Rows whose training read more tokens than the fewest by this share are not on one budget.
BUDGET: Final = 0.05
_AGAINST: Final = ("win_rate", "length_controlled_win_rate", "proxy_win_rate", "gap")
_OWN: Final = (
    "reward", "proxy", "accuracy", "kl_token", "kl_sequence", "refusal", "repetition", "cut", "language_mismatch",
    "empty", "tokens",
)  # fmt: skip
_DRIFT: Final = ("reward", "proxy", "tokens", "characters")


def comparison(results: Sequence[Evaluation]) -> dict[str, Any]:
    """One table of all models of some evaluations, the base first, the others in the order given.

    `rows`: of each model its figures (value, low, high, n), `difference` from the base, `training_tokens` and
    `training_seconds` over all stages that made it, and `data_digest` (of what it was trained on, 12 hex digits; None
    for the base). `notes` says what makes rows less comparable. Beside these: base, prompts, held_out, settings, seed.

    Raises UsageError where evaluations differ in base model, prompts, scorers, settings or seed, or two different
    models have one name.
    """
    if not results:
        raise UsageError("nothing to compare", hint="name folders that sieveline evaluate wrote")
    first = results[0].told
    for other in results[1:]:
        _check_same(first, other.told, other)
    rows: dict[str, dict[str, Any]] = {}
    for result in results:
        for name in result.models:
            row = _row(result, name, name == result.told["base"])
            known = rows.setdefault("" if row["base"] else name, row)
            if known["digest"] != row["digest"]:
                raise UsageError(
                    f"two different models are named {name!r}", hint="evaluate them under labels: random=FOLDER"
                )
    table = list(rows.values())
    warnings = list(dict.fromkeys(warning for result in results for warning in result.told["warnings"]))
    return {
        "base": first["base"],
        "prompts": first["held_out"]["prompts"],
        "held_out": first["held_out"]["digest"],
        "settings": first["settings"],
        "seed": first["seed"],
        "rows": table,
        "notes": [*_budget(table), *warnings],
    }


def _row(result: Evaluation, name: str, base: bool) -> dict[str, Any]:
    told, figures, versus = result.told["models"][name], result.figures(name), result.against(name) or {}
    runs = told["training"]
    return {
        "name": name,
        "base": base,
        "digest": told["model"]["digest"],
        "stages": [run["stage"] for run in runs],
        **{key: figures[key] for key in _OWN},
        **{key: versus.get(key) for key in _AGAINST},
        "difference": {key: versus["difference"][key] for key in _DRIFT} if versus else None,
        "gained": versus.get("gained"),
        "parted": versus.get("parted"),
        "training_tokens": _sum(runs, "tokens"),
        "training_seconds": _sum(runs, "seconds"),
        "data_digest": sha256_value([run["data"] for run in runs])[:12] if runs else None,
    }


def _sum(runs: Sequence[dict[str, Any]], key: str) -> float | None:
    """Over all stages; None where one does not tell, or there is none."""
    values = [run[key] for run in runs]
    return None if not values or None in values else sum(values)


def _check_same(first: dict[str, Any], other: dict[str, Any], result: Evaluation) -> None:
    def basis(told: dict[str, Any]) -> dict[str, Any]:
        return {
            "base model": told["models"][told["base"]]["model"]["digest"],
            "held-out prompts": told["held_out"]["digest"],
            "settings": told["settings"],
            "proxy reward": told["proxy"],
            "seed": told["seed"],
        }

    ours, theirs = basis(first), basis(other)
    differ = [key for key in ours if ours[key] != theirs[key]]
    if differ:
        raise UsageError(
            f"{result.path}: evaluated with another {', another '.join(differ)} than the first",
            hint="evaluate all of them in one go: sieveline compare MODEL MODEL ... --held-out FILE",
        )


def _budget(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Whether the trained models read about the same number of tokens."""
    told = {row["name"]: row["training_tokens"] for row in rows if row["training_tokens"]}
    if not told or max(told.values()) <= (1 + BUDGET) * min(told.values()):
        return []
    each = ", ".join(f"{name} {tokens:,.0f}" for name, tokens in told.items())
    return [f"not one token budget: {each}; a difference may be one of budget"]
