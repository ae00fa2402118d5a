"""What is expected of a whole table: shares of rows, and how far it has moved from what was published before."""

from __future__ import annotations

from typing import Final

from schemas.expectations.expectation import Expectation, Place, share
from schemas.profile.gates import DriftLimits, Shares

# What is compared with the last published version, by place; `reward` and `length` are numbers, the others categories.
DRIFTING: Final[dict[Place, tuple[str, ...]]] = {
    "curated": ("length", "language", "source"),
    "rejection_sampling": ("length", "reward"),
    "pairs": ("length", "language", "source", "reward"),
}
NUMERIC: Final = ("length", "reward")
_TOLD: Final = {
    "length": "lengths of the answers in characters",
    "language": "languages' shares",
    "source": "sources' shares",
    "reward": "rewards",
}


def row_shares(limits: Shares) -> tuple[Expectation, ...]:
    """Shares of the curated rows."""
    wanted = (
        ("refusal_share", "share of answers that refuse in full", limits.max_refusals, "refusal_share"),
        (
            "repeated_prompts",
            "share of rows whose prompt another row has as well",
            limits.max_repeated_prompts,
            "share",
        ),
        ("largest_source", "share of the rows that come from the largest source", limits.max_source, "share"),
    )
    told = [
        share(name, description, high, "refusal_share" if kind == "refusal_share" else "share", limits.severity)
        for name, description, high, kind in wanted
        if high is not None
    ]
    return (*told, *languages(limits))


def languages(limits: Shares) -> tuple[Expectation, ...]:
    """The least share of each language that the profile names."""
    return tuple(
        Expectation(
            name=f"language_share_{code}",
            description=f"share of rows in the language {code}, at least {low:g}",
            kind="language_share",
            column=f"language_{code}",
            low=low,
            severity=limits.severity,
        )
        for code, low in sorted(limits.min_languages.items())
    )


def pair_shares(limits: Shares) -> tuple[Expectation, ...]:
    """Shares of the pairs."""
    refusing = "share of pairs whose chosen answer refuses in full where the rejected one does not"
    high = limits.max_chosen_refusals
    if high is None:
        return languages(limits)
    return (share("chosen_refusal_share", refusing, high, "refusal_share", limits.severity), *languages(limits))


def drift(place: Place, limits: DriftLimits) -> tuple[Expectation, ...]:
    """How far each figure of a place may be from that of the last published version.

    PSI is taken beyond what two samples of these sizes show by chance; see `curation.drift`.
    """
    told = []
    for name in DRIFTING.get(place, ()):
        if limits.max_psi is not None:
            described = f"population stability index of {_TOLD[name]} beyond chance, against the last published version"
            told.append(share(f"drift_{name}", described, limits.max_psi, "drift", limits.severity))
        if limits.max_ks is not None and name in NUMERIC:
            described = f"Kolmogorov-Smirnov statistic of {_TOLD[name]}, against the last published version"
            told.append(share(f"ks_{name}", described, limits.max_ks, "drift", limits.severity))
    return tuple(told)
