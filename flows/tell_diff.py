"""How `sieveline diff` tells what differs on a terminal. What comes from data is printed as it is, never as markup."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Any

from rich.markup import escape
from rich.table import Table

from curation.diff.words import drifted, place, shown
from flows.commands.options import console
from flows.tell import short


def tell_diff(told: dict[str, Any]) -> None:
    """Print a difference as tables; sections without a difference are one line."""
    for name in "ab":
        run = told[name]
        _say(f"{name.upper()}  {run['run']}  profile {run['profile']}  {run['status']}  started {run['started']}")
    if told["identical"]:
        _say("identical: every table of both runs has the same bytes")
    elif told["same_set"]:
        _say("the curated sets are identical, to the byte")
    _tell_rows(told["rows"])
    _tell_reasons(told["reasons"])
    _tell_drift(told["drift"])
    if told["pairs"] is not None:
        _tell_pairs(told["pairs"])
    _tell_gates(told["gates"])
    for key, title in (("profile", "profile"), ("versions", "versions")):
        _tell_settings(title, told[key])
    if told["code"]:
        _say(f"made by other code: {', '.join(told['code'])}")


def _tell_rows(rows: dict[str, Any]) -> None:
    _say(
        f"rows  A {rows['a']:,} = {rows['same']:,} same + {rows['changed']:,} changed + {rows['gone']:,} gone;  "
        f"B {rows['b']:,} = {rows['same']:,} same + {rows['changed']:,} changed + {rows['added']:,} added"
    )
    _say(
        f"lost in both  {rows['alike']:,} alike, {rows['moved']:,} elsewhere or for another reason;  "
        f"read in one only {rows['read_in_one']:,}"
    )
    _tell_lost("gone: in A, and where B lost them", rows["gone_by"])
    _tell_lost("added: in B, and where A lost them", rows["added_by"])
    changed = [([group["cause"]], group) for group in rows["changed_by"]]
    _tell_groups("changed: in both with another text, and what edited it", ["edited by"], changed)
    moved = [([_place(group, "_a"), _place(group, "_b")], group) for group in rows["moved_by"]]
    _tell_groups("lost in both, elsewhere or for another reason", ["in A", "in B"], moved)


def _tell_lost(title: str, groups: Sequence[dict[str, Any]]) -> None:
    _tell_groups(title, ["stage and reason"], [([_place(group)], group) for group in groups])


def _place(group: dict[str, Any], suffix: str = "") -> str:
    return place(group[f"stage{suffix}"], group[f"reason{suffix}"])


def _tell_groups(title: str, columns: list[str], groups: Sequence[tuple[list[str], dict[str, Any]]]) -> None:
    """A table of groups, the first ids of each; and how to look one up."""
    if not groups:
        return
    lines = [
        [*names, f"{group['count']:,}", ", ".join(short(name, 60) for name in group["ids"])] for names, group in groups
    ]
    _print(title, [*columns, "#count", "ids"], lines)
    _say(f"  sieveline why {groups[0][1]['run']} {quote(short(groups[0][1]['ids'][0], 200))}")


def _tell_reasons(reasons: Sequence[dict[str, Any]]) -> None:
    lines = [
        [
            entry["stage"],
            entry["reason"],
            entry["kind"],
            f"{entry['a']:,}",
            f"{entry['b']:,}",
            f"{entry['b'] - entry['a']:+,}",
        ]
        for entry in reasons
    ]
    _print("reasons that moved", ["stage", "reason", "kind", "#A", "#B", "#change"], lines)


def _tell_drift(drift: Sequence[dict[str, Any]]) -> None:
    lines = []
    for entry in drift:
        figures = [entry[key] for key in ("psi", "psi_by_chance", "ks", "ks_by_chance")]
        sizes = [f"{entry[key]:,}" for key in ("expected", "actual")]
        told = ["–" if figure is None else f"{figure:.3f}" for figure in figures]
        lines.append([f"{entry['what']} ({entry['of']})", entry["level"], *told, *sizes, drifted(entry)])
    columns = ["of", "drift", "#PSI", "#by chance", "#KS", "#by chance", "#size A", "#size B", "moved most"]
    _print("drift", columns, lines)


def _tell_pairs(pairs: dict[str, Any]) -> None:
    _say(
        f"pairs  A {pairs['a']:,} = {pairs['same']:,} same + {pairs['flipped']:,} flipped + {pairs['gone']:,} gone;  "
        f"B {pairs['b']:,} = {pairs['same']:,} same + {pairs['flipped']:,} flipped + {pairs['new']:,} new"
    )
    flipped = [[short(pair["row_id"], 60), pair["pair_id_a"], pair["pair_id_b"]] for pair in pairs["flipped_first"]]
    _print("flipped: the same two answers, chosen and rejected swapped", ["row", "pair in A", "pair in B"], flipped)
    _tell_lost("pairs gone, and why B has them not", pairs["gone_by"])
    _tell_lost("pairs new, and why A has them not", pairs["new_by"])


def _tell_gates(gates: Sequence[dict[str, Any]]) -> None:
    words = {None: "–", True: "passed", False: "failed"}
    lines = []
    for entry in gates:
        passed = [words[entry[f"passed_{side}"]] for side in "ab"]
        lines.append([entry["gate"], entry["name"], *passed, *(_shown(entry[f"observed_{side}"]) for side in "ab")])
    _print("gates with another result", ["gate", "expectation", "A", "B", "#observed A", "#observed B"], lines)


def _tell_settings(title: str, entries: Sequence[dict[str, Any]]) -> None:
    _print(title, ["key", "A", "B"], [[entry["key"], _shown(entry["a"]), _shown(entry["b"])] for entry in entries])


def _shown(value: Any) -> str:
    return short(shown(value), 60)


def _print(title: str, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """A table; one line where it would be empty. A column that begins with # is of numbers."""
    if not lines:
        _say(f"{title}: none")
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column.lstrip("#"), justify="right" if column.startswith("#") else "left", overflow="fold")
    for line in lines:
        table.add_row(*(escape(cell) for cell in line))
    console.print(table)


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
