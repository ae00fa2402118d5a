"""The panel of a run, committed: `panel.json` and the manifest's facts."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from curation.bias.limits import check
from curation.digest import code_digest
from curation.stage import Context
from curation.store import Built, Committed, Store
from schemas.profile.gates import BiasLimits

STAGE: Final = "bias"


def bias_panel(store: Store, scored: Committed, pairs: Committed, settings: BiasLimits, context: Context) -> Committed:
    """Measure scored candidates and pairs, or return what was measured. Broken limits are told, not raised (`enforce`).

    Facts: `panel`, and `limits`, a result for each that is set.
    """
    started = time.monotonic()
    roles = scorer_roles(scored)
    recipe = {
        "code": [code_digest("curation.bias.run"), code_digest("curation.bias.panel")],
        "limits": settings.model_dump(mode="json"),
        "inputs": [scored.manifest.digest, pairs.manifest.digest],
        "roles": roles,
        "seed": context.seed,
    }

    def build(folder: Path) -> Built:
        # Imported here: a run whose panel is in the store already does not pay for loading the detectors.
        from curation.bias.panel import panel

        found = panel(scored.scan(), pairs.scan(), seed=context.seed, roles=roles)
        results = check(found, settings)
        told = {"panel": found, "limits": results}
        (folder / "panel.json").write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
        n = found["pairs"]["n"]
        return Built({"in": n, "kept": n, "dropped": 0, "quarantined": 0}, {"unit": "pairs", **told})

    done = store.commit(STAGE, recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    results = done.manifest.facts["limits"]
    passed = sum(result["passed"] for result in results)
    took = "reused" if done.reused else f"{done.seconds:.1f} s"
    kept = f"{passed} of {len(results)} limits kept" if results else "no limits set"
    context.progress.line(f"bias panel  {done.manifest.counts['in']:,} pairs, {kept}  {took}")
    return done


def scorer_roles(scored: Committed) -> dict[str, str]:
    """Of each scorer that the manifest tells of, whether it takes part in the reward or is only looked at."""
    told: dict[str, Any] = scored.manifest.facts.get("scorers") or {}
    return {name: facts["role"] for name, facts in told.items() if isinstance(facts, dict) and "role" in facts}
