"""Files: cases 65 to 79 of bad input, each by its number. F: the whole file is refused, the others are read."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import zlib
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from curation.ingest import ingest
from curation.stage import Context
from curation.store import Store
from schemas.profile.sources import Ingest, Source
from tests.ingest.helpers import GOOD, facts, line, put, read, reasons, refused, run, texts

PAIR = ["Name a colour.", "Red."]
ROWS = [{"instruction": f"Question {i}?", "output": f"Answer {i}."} for i in range(2_000)]
LINES = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
# Text that does not shrink much, so that a packed file has a middle to cut.
PACKED = gzip.compress(LINES, mtime=0)
FRAME = zstandard.ZstdCompressor(write_checksum=True).compress(LINES)


def whole(done, reason: str) -> None:
    """One record in, quarantined, nothing kept, and the reason in the facts."""
    assert done.manifest.counts == {"in": 1, "kept": 0, "dropped": 0, "quarantined": 1}
    assert reasons(done) == [(None, reason)]
    assert facts(done)["whole_file"] == reason
    assert "its rows are not counted" in facts(done)["warnings"][-1]


def parquet(folder: Path, name: str, rows: list[dict]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / name)
    return folder / name


@pytest.mark.parametrize("cut", [5, 1_000, len(PACKED) - 9, len(PACKED) - 1])
def test_65_truncated_gzip(cut, tmp_path):
    whole(read(PACKED[:cut], tmp_path, "raw.jsonl.gz"), "truncated_gzip")


def test_66_bad_crc(tmp_path):
    # The last 8 bytes are the CRC and the length (RFC 1952).
    broken = bytearray(PACKED)
    broken[-8] ^= 1
    done = read(bytes(broken), tmp_path, "raw.jsonl.gz")
    whole(done, "corrupt_gzip")


def test_67_concatenated_gzip(tmp_path):
    done = read(
        gzip.compress(GOOD, mtime=0) + gzip.compress(GOOD[:-1]) + gzip.compress(b"\n" + GOOD), tmp_path, "raw.jsonl.gz"
    )
    assert texts(done) == [PAIR] * 3
    assert facts(done)["format"] == "jsonl.gz"


def test_67_zero_bytes_pad_the_end(tmp_path):
    assert texts(read(gzip.compress(GOOD, mtime=0) + bytes(512), tmp_path, "raw.jsonl.gz")) == [PAIR]


@pytest.mark.parametrize("tail", [b"x", b"garbage after the end", bytes(512) + b"x"])
def test_68_trailing_garbage(tail, tmp_path):
    whole(read(gzip.compress(GOOD, mtime=0) + tail, tmp_path, "raw.jsonl.gz"), "trailing_garbage")
    whole(read(zstandard.compress(GOOD) + tail, tmp_path, "raw.jsonl.zst"), "trailing_garbage")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("raw.jsonl.gz", GOOD),
        ("raw.jsonl.zst", GOOD),
        ("raw.jsonl.zst", gzip.compress(GOOD, mtime=0)),
        ("raw.parquet", GOOD),
        ("raw.arrow", GOOD),
        ("raw.jsonl", gzip.compress(GOOD, mtime=0)),
        ("raw.csv", GOOD),
        ("raw.json", b"PAR1" + GOOD),
    ],
)
def test_69_an_extension_that_lies(name, data, tmp_path):
    whole(read(data, tmp_path, name), "extension_lies")


@pytest.mark.parametrize("cut", [8, 1_000, len(FRAME) - 5, len(FRAME) - 1])
def test_70_truncated_zstd(cut, tmp_path):
    whole(read(FRAME[:cut], tmp_path, "raw.jsonl.zst"), "truncated_zstd")


def test_70_zstd_with_a_bad_checksum(tmp_path):
    whole(read(FRAME[:-1] + bytes([FRAME[-1] ^ 1]), tmp_path, "raw.jsonl.zst"), "corrupt_zstd")


def test_70_zstd_frames_one_after_the_other(tmp_path):
    assert texts(read(zstandard.compress(GOOD) * 2, tmp_path, "raw.jsonl.zst")) == [PAIR] * 2


def test_71_a_gzip_bomb(tmp_path):
    # 80 MiB of blanks in about 80 kB; 64 MiB, or 200 times the file (16 MB), may come out of it.
    engine = zlib.compressobj(wbits=31)
    packed = b"".join(engine.compress(b" " * (1 << 20)) for _ in range(80)) + engine.flush()
    assert max(64 << 20, 200 * len(packed)) < 80 << 20
    whole(read(packed, tmp_path, "raw.jsonl.gz"), "decompression_bomb")


def test_71_a_zstd_bomb(tmp_path):
    engine = zstandard.ZstdCompressor().compressobj()
    packed = b"".join(engine.compress(bytes(1 << 20)) for _ in range(80)) + engine.flush()
    whole(read(zstandard.compress(GOOD) + packed, tmp_path, "raw.jsonl.zst"), "decompression_bomb")


def test_72_a_parquet_bomb(tmp_path):
    # One text of 1 MiB, 100 times: the dictionary holds it once, and its column unpacks to 100 MiB.
    text = "x" * (1 << 20)
    path = parquet(tmp_path / "raw", "raw.parquet", [{"instruction": "Repeat.", "output": text}] * 100)
    assert path.stat().st_size < 1 << 20
    whole(run(path, tmp_path), "decompression_bomb")


def test_72_a_parquet_file_that_claims_to_be_a_bomb(tmp_path):
    rows = [{"instruction": f"{i} {'x' * (1 << 20)}", "output": "Yes."} for i in range(70)]
    path = parquet(tmp_path / "raw", "raw.parquet", rows)
    assert path.stat().st_size < 8 << 20
    whole(run(path, tmp_path, max_expansion=2), "decompression_bomb")


@pytest.mark.parametrize("keep", [4, 300, -1])
def test_73_parquet_without_a_footer(keep, tmp_path):
    data = parquet(tmp_path, "whole.parquet", ROWS[:50]).read_bytes()
    whole(read(data[:keep], tmp_path, "raw.parquet"), "corrupt_parquet")


def test_73_an_arrow_file_with_a_damaged_offset(tmp_path):
    """An offset of 2^30 into a text of 8 bytes; converting it unchecked ends the process."""
    sink = io.BytesIO()
    table = pa.table({"Q": ["Why?", "How?"], "A": ["Because.", "So so."]})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    sound, broken = struct.pack("<3i", 0, 4, 8), struct.pack("<3i", 0, 1 << 30, 8)
    assert sink.getvalue().count(sound) == 1
    whole(read(sink.getvalue().replace(sound, broken), tmp_path, "raw.arrow"), "corrupt_arrow")
    whole(read(sink.getvalue()[:-100], tmp_path, "raw.arrow"), "corrupt_arrow")


def test_73_a_column_name_that_is_not_utf8(tmp_path):
    sink = io.BytesIO()
    table = pa.table({"question": ["Why?"], "answer": ["Because."]})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    whole(read(sink.getvalue().replace(b"question", b"questio\xc4"), tmp_path, "raw.arrow"), "corrupt_arrow")


@pytest.mark.parametrize("name", ["raw.jsonl.gz", "raw.json.zst", "raw.parquet", "raw.arrow"])
def test_74_no_bytes_where_there_must_be_some(name, tmp_path):
    whole(read(b"", tmp_path, name), "zero_bytes")


def test_74_a_file_of_zero_bytes(tmp_path):
    whole(read(bytes(10_000), tmp_path), "zero_bytes")


def test_75_a_flipped_bit_in_a_stored_part(tmp_path):
    path = put(tmp_path / "raw", "raw.jsonl", LINES)
    first = run(path, tmp_path)
    part = first.parts[0]
    sound = part.read_bytes()
    broken = bytearray(sound)
    broken[len(broken) // 2] ^= 0x10
    part.write_bytes(bytes(broken))
    again = run(path, tmp_path)
    assert first.path == again.path
    assert not again.reused
    assert part.read_bytes() == sound
    assert len(list(first.path.parent.glob(".corrupt-*"))) == 1
    assert run(path, tmp_path).reused


def test_76_shards_of_different_shapes(tmp_path):
    put(tmp_path / "raw", "data-00000-of-00003.jsonl", GOOD)
    put(tmp_path / "raw", "data-00001-of-00003.jsonl", b'{"question": "Why?", "answer": "Because."}\n')
    put(tmp_path / "raw", "data-00002-of-00003.jsonl", b'{"left": 1, "right": 2}\n')
    done = run(tmp_path / "raw", tmp_path)
    assert texts(done) == [PAIR]
    assert refused(done)["file"].to_list() == ["data-00001-of-00003.jsonl", "data-00002-of-00003.jsonl"]
    assert refused(done)["reason"].to_list() == ["shard_schema_differs"] * 2


def test_76_parquet_shards_of_different_types(tmp_path):
    good = {"instruction": "Name a colour.", "output": "Red.", "level": 1}
    parquet(tmp_path / "raw", "a.parquet", [good])
    parquet(tmp_path / "raw", "b.parquet", [good | {"level": "one"}])
    parquet(tmp_path / "raw", "c.parquet", [good])
    done = run(tmp_path / "raw", tmp_path)
    assert texts(done) == [PAIR] * 2
    assert refused(done)["file"].to_list() == ["b.parquet"]
    assert refused(done)["reason"].to_list() == ["shard_schema_differs"]


def test_76_files_that_are_not_shards_may_differ(tmp_path):
    put(tmp_path / "raw", "tasks.jsonl", GOOD)
    put(tmp_path / "raw", "questions.jsonl", b'{"question": "Why?", "answer": "Because."}\n')
    assert texts(run(tmp_path / "raw", tmp_path)) == [["Why?", "Because."], PAIR]


def test_77_a_fifo(tmp_path):
    put(tmp_path / "raw", "a.jsonl", GOOD)
    os.mkfifo(tmp_path / "raw" / "x.jsonl")
    done = run(tmp_path / "raw", tmp_path)
    assert texts(done) == [PAIR]
    assert reasons(done) == [(None, "not_a_regular_file")]
    assert refused(done)["file_sha256"].to_list() == [None]
    whole(run(tmp_path / "raw" / "x.jsonl", tmp_path), "not_a_regular_file")


def test_77_a_folder_named_x_jsonl(tmp_path):
    put(tmp_path / "raw", "a.jsonl", GOOD)
    put(tmp_path / "raw", "x.jsonl/inside.jsonl", GOOD)
    done = run(tmp_path / "raw", tmp_path)
    assert texts(done) == [PAIR]
    assert refused(done)["file"].to_list() == ["x.jsonl"]
    assert reasons(done) == [(None, "not_a_regular_file")]
    whole(run(tmp_path / "raw" / "x.jsonl", tmp_path), "not_a_regular_file")


def test_78_a_symlink_that_leaves_the_folder(tmp_path):
    secret = put(tmp_path / "elsewhere", "secret.jsonl", line(output="Secret."))
    put(tmp_path / "raw", "a.jsonl", GOOD)
    (tmp_path / "raw" / "file.jsonl").symlink_to(secret)
    (tmp_path / "raw" / "folder").symlink_to(secret.parent)
    (tmp_path / "raw" / "inside.jsonl").symlink_to("a.jsonl")
    done = run(tmp_path / "raw", tmp_path)
    assert texts(done) == [PAIR] * 2
    assert refused(done)["file"].to_list() == ["file.jsonl", "folder"]
    assert refused(done)["reason"].to_list() == ["symlink_leaves_folder"] * 2
    whole(run(tmp_path / "raw" / "f*.jsonl", tmp_path), "symlink_leaves_folder")


@pytest.mark.parametrize("how", ["loop", "dangling"])
def test_79_a_link_that_leads_nowhere(how, tmp_path):
    put(tmp_path / "raw", "a.jsonl", GOOD)
    (tmp_path / "raw" / "x.jsonl").symlink_to("x.jsonl" if how == "loop" else "gone.jsonl")
    done = run(tmp_path / "raw", tmp_path)
    assert texts(done) == [PAIR]
    assert reasons(done) == [(None, "unreadable")]


def test_79_no_permission(tmp_path, monkeypatch):
    put(tmp_path / "raw", "a.jsonl", GOOD)
    locked = put(tmp_path / "raw", "x.jsonl", GOOD)
    locked.chmod(0)
    if os.access(locked, os.R_OK):  # the superuser may read anything
        opened = Path.open

        def refusing(path: Path, *args, **keys):
            if path == locked:
                raise PermissionError(13, "Permission denied")
            return opened(path, *args, **keys)

        monkeypatch.setattr(Path, "open", refusing)
    done = run(tmp_path / "raw", tmp_path)
    assert texts(done) == [PAIR]
    assert reasons(done) == [(None, "unreadable")]


class Meddler:
    """A progress that does something to the data once it has been surveyed, before it is read."""

    def __init__(self, deed) -> None:
        self.deed = deed

    def line(self, text: str) -> None:
        deed, self.deed = self.deed, lambda: None
        deed()

    def task(self, name: str, total: int | None = None):
        from curation.progress import Silent

        return Silent().task(name, total)


def test_15_a_file_that_changes_while_it_is_read(tmp_path):
    put(tmp_path / "raw", "a.jsonl", GOOD)
    path = put(tmp_path / "raw", "x.jsonl", GOOD)
    context = Context(progress=Meddler(lambda: path.write_bytes(GOOD + GOOD)))
    done = run(tmp_path / "raw", tmp_path, context=context)
    assert texts(done) == [PAIR]
    assert refused(done)["file"].to_list() == ["x.jsonl"]
    assert reasons(done) == [(None, "changed_while_read")]


def test_15_a_change_that_leaves_size_and_times_alone(tmp_path):
    path = put(tmp_path / "raw", "x.jsonl", GOOD)
    before = path.stat()

    def meddle() -> None:
        path.write_bytes(GOOD.replace(b"Red", b"Tan"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert reasons(run(path, tmp_path, context=Context(progress=Meddler(meddle)))) == [(None, "changed_while_read")]


def test_15_the_verdict_on_a_change_does_not_outlast_it(tmp_path):
    path = put(tmp_path / "raw", "x.jsonl", GOOD)

    def meddle() -> None:
        path.write_bytes(GOOD)
        os.utime(path, ns=(1, 1))

    assert reasons(run(path, tmp_path, context=Context(progress=Meddler(meddle)))) == [(None, "changed_while_read")]
    assert texts(run(path, tmp_path)) == [PAIR]


def test_a_file_refused_at_its_end_leaves_no_rows_behind(tmp_path):
    put(tmp_path / "raw", "a.jsonl", GOOD)
    put(tmp_path / "raw", "b.jsonl.gz", gzip.compress(LINES + b"null\n", mtime=0) + b"garbage")
    put(tmp_path / "raw", "c.jsonl", GOOD)
    done = run(tmp_path / "raw", tmp_path, part_rows=300)
    assert texts(done) == [PAIR] * 2
    assert reasons(done) == [(None, "trailing_garbage")]
    assert done.manifest.counts["in"] == 3
    assert sorted(p.name for p in done.path.iterdir()) == [
        "decisions.parquet",
        "manifest.json",
        "part-00000.parquet",
        "quarantine.parquet",
    ]


def test_a_failed_build_leaves_nothing(tmp_path):
    path = put(tmp_path / "raw", "x.jsonl", GOOD)

    def fail() -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        ingest(Source(path=str(path)), Ingest(), Store(tmp_path / "store"), Context(progress=Meddler(fail)))
    assert list((tmp_path / "store" / "ingest").iterdir()) == []


def test_a_refused_file_has_its_digest_in_the_quarantine(tmp_path):
    done = read(PACKED[:-1], tmp_path, "raw.jsonl.gz")
    assert refused(done)["file_sha256"].to_list() == [facts(done)["sha256"]]
    assert refused(done).select(pl.col("line", "byte_offset").is_null().all()).row(0) == (True, True)
