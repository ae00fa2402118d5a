"""What was published, as sketches on disk: segments in the store, and a list of those that belong to an index.

    <home>/seen/<name>.json                    settings, and the keys of the segments
    <home>/store/dedup.seen/<key>/             one segment of m rows and b bands
        part-00000.parquet                     row_id, key_0, key_1: 128 bits of the sequence of words
        bands.npy, order.npy                   (b, m) band keys in order, and whose they are
        starts.npy, shingles.npy               (m + 1), and the set of each row, sorted

Arrays are mapped, not read: a probe touches the pages of its candidates alone. A row takes 8 bytes a shingle and 8 a
band on disk, about 1 kB.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from curation.canaries import Canary
from curation.dedup import text_kernels
from curation.dedup.minhash import set_kernels
from curation.dedup.minhash.lsh import permutations
from curation.dedup.seen import Config, sketch
from curation.digest import code_digest
from curation.store import Built, Committed, Store, write_file, write_table
from schemas.errors import UsageError

if TYPE_CHECKING:
    from curation.dedup.minhash.sketches import Sketch

STAGE = "dedup.seen"
FOUND = pl.Schema({"row_id": pl.String, "kept_id": pl.String, "value": pl.Float64})

Ints = npt.NDArray[np.int64]
Sets = list[npt.NDArray[np.uint64]]

# Of the published rows that share a band key with a row, as those of a template do, at most so many are compared to it.
_MOST = 1_024
_PLANTED = 100
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Segment:
    """The published rows of one run."""

    done: Committed

    def array(self, name: str) -> npt.NDArray[Any]:
        """One of the arrays, mapped."""
        return np.load(self.done.path / f"{name}.npy", mmap_mode="r", allow_pickle=False)

    @cached_property
    def rows(self) -> pl.DataFrame:
        """row_id, key_0 and key_1 of each row."""
        return self.done.scan().collect()

    def candidates(self, bands: npt.NDArray[np.uint32]) -> tuple[Ints, Ints]:
        """Pairs of a probing row and a published row that share a band key: the numbers of both, each pair once."""
        ours, theirs = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        keys, order = self.array("bands"), self.array("order")
        for band, probing in enumerate(bands):
            first = np.searchsorted(keys[band], probing, side="left")
            counts = np.minimum(np.searchsorted(keys[band], probing, side="right") - first, _MOST)
            row = np.repeat(np.arange(len(probing)), counts)
            within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
            ours.append(row)
            theirs.append(order[band][np.repeat(first, counts) + within].astype(np.int64))
        pairs = np.unique(np.stack([np.concatenate(ours), np.concatenate(theirs)], axis=1), axis=0)
        return pairs[:, 0], pairs[:, 1]

    def sets(self, numbers: Ints) -> Sets:
        """The shingle sets of some rows."""
        starts, shingles = self.array("starts"), self.array("shingles")
        return [shingles[starts[at] : starts[at + 1]] for at in numbers]


@dataclass(frozen=True)
class Index:
    """The segments of one name."""

    config: Config
    segments: Sequence[Segment]

    @classmethod
    def open(cls, home: Path, config: Config) -> Index:
        """Open the index of a name; one that was never begun is empty.

        Raises UsageError where it was begun with other settings, or a segment is no longer in the store.
        """
        keys = _listed(home, config)
        found = _segments(home, tuple(keys))
        if lost := [key for key, done in zip(keys, found, strict=True) if done is None]:
            raise UsageError(
                f"the index {config.index!r} of published rows lacks {len(lost)} of {len(keys)} segments, such as "
                f"{lost[0]}",
                hint=f"bring the store's {STAGE} folder back, or delete {_list_file(home, config)} to begin anew",
            )
        return cls(config, [Segment(done) for done in found if done is not None])

    @property
    def rows(self) -> int:
        """How many rows were published."""
        return sum(segment.done.manifest.counts["kept"] for segment in self.segments)

    def digests(self) -> list[str]:
        """What is in it."""
        return sorted(segment.done.manifest.digest for segment in self.segments)

    def probe(self, sketches: Sequence[Sketch]) -> pl.DataFrame:
        """The rows that are alike to a published one: row_id, kept_id (of the most similar), value (how similar)."""
        found = [self._matches(one, segment) for one in sketches for segment in self.segments]
        every = pl.concat([FOUND.to_frame(), *found]).sort("value", "kept_id", descending=[True, False])
        return every.unique("row_id", keep="first", maintain_order=True).sort("row_id")

    def _matches(self, one: Sketch, segment: Segment) -> pl.DataFrame:
        ours, theirs = segment.candidates(one.bands)
        # A text without words has nothing to compare.
        there = np.diff(one.starts)[ours] > 0
        ours, theirs = ours[there], theirs[there]
        ids, published = one.rows["row_id"].gather(ours), segment.rows[theirs]
        mine = [np.unique(one.shingles[one.starts[at] : one.starts[at + 1]]) for at in ours]
        alike = similarities(mine, segment.sets(theirs))
        same = (published.select("key_0", "key_1").to_numpy() == one.keys[ours]).all(axis=1)
        itself = same & (ids == published["row_id"]).to_numpy()
        frame = pl.DataFrame([ids, published["row_id"].alias("kept_id"), pl.Series("value", alike)], schema=FOUND)
        return frame.filter(pl.Series(~itself & (alike >= self.config.threshold - _ROUNDING)))

    def measure(self, seed: int) -> Canary:
        """How many of some published rows are found by copies that lack as many shingles as the threshold allows."""
        bands = self.config.bands()
        planted = found = 0
        for segment in self.segments:
            chosen = np.random.default_rng(seed).permutation(segment.rows.height)[: _PLANTED // len(self.segments) + 1]
            whole = segment.sets(chosen)
            copies = [each[int(len(each) * (1 - self.config.threshold) + _ROUNDING) :] for each in whole]
            starts = np.cumsum([0, *map(len, copies)]).astype(np.int64)
            keys = np.empty((bands.count, len(copies)), np.uint32)
            scale, shift = permutations(bands, 0)
            text_kernels.band_keys(np.concatenate([*copies, _NONE]), starts, scale, shift, bands.rows, keys)
            ours, theirs = segment.candidates(keys)
            planted += len(chosen)
            found += len(set(ours[chosen[ours] == theirs].tolist()))
        return Canary(planted, found, bands.recall(self.config.threshold))


@functools.lru_cache(maxsize=1)
def _segments(home: Path, keys: tuple[str, ...]) -> list[Committed | None]:
    """Segments of the store, their files verified once for all parts of a run."""
    return [Store(home / "store").find(STAGE, key) for key in keys]


_NONE = np.zeros(0, np.uint64)


def similarities(left: Sets, right: Sets) -> npt.NDArray[np.float64]:
    """Jaccard similarity of pairs of sorted sets."""
    out = np.empty(len(left), np.float64)
    sizes = np.array([len(each) for each in (*left, *right)], np.int32)
    begins = np.cumsum(sizes, dtype=np.int64) - sizes
    pairs = np.arange(len(left))
    set_kernels.similarities(np.concatenate([*left, *right, _NONE]), begins, sizes, pairs, pairs + len(left), out)
    return out


def remember(store: Store, home: Path, config: Config, rows: Committed) -> Committed:
    """Add the rows of a committed set to an index, once; raises as `Index.open` does."""
    listed = _listed(home, config)
    recipe = {
        "stage": STAGE,
        "code": code_digest("curation.dedup.seen.index"),
        "config": _settings(config),
        "inputs": [rows.manifest.digest],
    }
    done = store.commit(STAGE, recipe, lambda folder: _write(folder, sketch(rows.scan(), config), config))
    if done.manifest.key not in listed:
        content = {"settings": _settings(config), "segments": [*listed, done.manifest.key]}
        write_file(_list_file(home, config), orjson.dumps(content, option=orjson.OPT_INDENT_2))
    return done


def _write(folder: Path, sketches: Sequence[Sketch], config: Config) -> Built:
    """Write a segment, its rows in the order of their ids; those without text are not in it."""
    frames = [pl.DataFrame(schema={"row_id": pl.String, "sketch": pl.Int64, "at": pl.Int64})]
    for number, one in enumerate(sketches):
        here = pl.DataFrame(
            {"row_id": one.rows["row_id"], "sketch": np.full(one.rows.height, number), "at": np.arange(one.rows.height)}
        )
        frames.append(here.filter(pl.Series(np.diff(one.starts) > 0)))
    order = pl.concat(frames).sort("row_id")
    keys, bands, sets = (
        np.empty((order.height, 2), np.uint64),
        np.empty((config.bands().count, order.height), np.uint32),
        [],
    )
    for place, (_, number, at) in enumerate(order.iter_rows()):
        one = sketches[number]
        keys[place], bands[:, place] = one.keys[at], one.bands[:, at]
        sets.append(np.unique(one.shingles[one.starts[at] : one.starts[at + 1]]))
    by_key = np.argsort(bands, axis=1, kind="stable").astype(np.uint32)
    columns = {"key_0": keys[:, 0], "key_1": keys[:, 1]}
    write_table(
        order.select("row_id").with_columns(**{k: pl.Series(v) for k, v in columns.items()}),
        folder / "part-00000.parquet",
    )
    for name, array in (
        ("bands", np.take_along_axis(bands, by_key.astype(np.int64), axis=1)),
        ("order", by_key),
        ("starts", np.cumsum([0, *map(len, sets)]).astype(np.int64)),
        ("shingles", np.concatenate([*sets, _NONE])),
    ):
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    total = sum(one.rows.height for one in sketches)
    return Built({"in": total, "kept": order.height, "dropped": total - order.height, "quarantined": 0}, {})


def _settings(config: Config) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude={"index"})


def _list_file(home: Path, config: Config) -> Path:
    return home / "seen" / f"{config.index}.json"


def _listed(home: Path, config: Config) -> list[str]:
    """The keys of an index's segments."""
    file = _list_file(home, config)
    if not file.exists():
        return []
    content = orjson.loads(file.read_bytes())
    if differing := dict(_differing(content["settings"], _settings(config))):
        told = ", ".join(f"{name} {was!r} and not {now!r}" for name, (was, now) in differing.items())
        raise UsageError(
            f"the index {config.index!r} of published rows was begun with {told}",
            hint="use its settings, or name another index",
        )
    return list(content["segments"])


def _differing(was: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            yield name, (was.get(name), now.get(name))
