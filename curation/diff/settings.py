"""What was set and installed: profiles and versions key by key, and the results of the gates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from curation.diff.side import Side

# Entries of a list of the profile are told apart by the first of these that they have.
_NAMES = ("use", "name", "path")
ORDER = ".order"


def profile(a: Side, b: Side) -> list[dict[str, Any]]:
    """Each key of the two profiles whose values differ, flat: `key`, `a`, `b`, null where a profile has no such key.

    The order of named entries differs where those that both profiles have stand in another order.
    """
    left, right = dict(flat(a.record.profile)), dict(flat(b.record.profile))
    for key in [key for key in left if key.endswith(ORDER) and key in right]:
        ours, theirs = left[key], right[key]
        if [name for name in ours if name in theirs] == [name for name in theirs if name in ours]:
            del left[key], right[key]
    return _differing(left, right)


def versions(a: Side, b: Side) -> list[dict[str, Any]]:
    """The libraries whose versions differ, in the same form."""
    return _differing(a.record.versions, b.record.versions)


def gates(a: Side, b: Side) -> list[dict[str, Any]]:
    """Each expectation that has another result: `gate`, `name`, `passed_a`, `passed_b`, `observed_a`, `observed_b`.

    What only one run has looked at has nulls for the other.
    """
    left, right = _results(a), _results(b)
    told = []
    for gate, name in [*left, *(key for key in right if key not in left)]:
        ours, theirs = left.get((gate, name), {}), right.get((gate, name), {})
        pairs = {key: (ours.get(key), theirs.get(key)) for key in ("passed", "observed", "failed")}
        if any(x != y for x, y in pairs.values()):
            sides = {
                f"{key}_{side}": value for key, both in pairs.items() for side, value in zip("ab", both, strict=True)
            }
            told.append({"gate": gate, "name": name, **sides})
    return told


def flat(value: Any, head: str = "") -> Iterator[tuple[str, Any]]:
    """A nested value as dotted keys and plain values. Entries of a list of tables go by their names.

    The order of named entries is a key of its own, `<list>.order`.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(inner, f"{head}.{key}" if head else str(key))
    elif isinstance(value, Sequence) and value and all(isinstance(entry, Mapping) for entry in value):
        names = _names(value)
        yield f"{head}{ORDER}", names
        for name, entry in zip(names, value, strict=True):
            yield from flat(entry, f"{head}.{name}")
    else:
        yield head, value


def _names(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    used: Counter[str] = Counter()
    names = []
    for at, entry in enumerate(entries):
        name = next((str(entry[key]) for key in _NAMES if entry.get(key)), str(at))
        used[name] += 1
        names.append(name if used[name] == 1 else f"{name} ({used[name]})")
    return names


def _differing(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = [*left, *(key for key in right if key not in left)]
    return [{"key": key, "a": left.get(key), "b": right.get(key)} for key in keys if left.get(key) != right.get(key)]


def _results(side: Side) -> dict[tuple[str, str], Mapping[str, Any]]:
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for label, step in side.labelled():
        for result in step.facts.get("results", []) if label.startswith("gates.") else []:
            found[label.removeprefix("gates."), str(result["name"])] = result
    return found
