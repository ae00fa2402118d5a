"""Preference pairs from public files, each source read by its own rules, and the split by conversation.

A source is a function `(folder, seed) -> Source`. What it leaves out it counts by reason; no pair is lost silently.

    hh       hh_harmless_base_test.jsonl.gz  people's choice between two last turns of a conversation
    pandalm  pandalm_testset_v1.json         majority of three people between two models' answers
    hrc      hrc_v1.jsonl                    Korean; an answer grounded in a decision over an ungrounded one
    korm     korm_*.jsonl                    Korean; models' answers ordered by another reward model's score
    made     alpagasus_dolly_3k.json         English; a human-written answer over a spoilt one
    made_ko  hrc_v1.jsonl                    Korean; a grounded answer over a spoilt one
    bloated  the two files of made           English and Korean; an answer over a worse and longer one
    evasive  the two files of made           English and Korean; an answer over a sentence that answers nothing
"""

from __future__ import annotations

import gzip
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from schemas.errors import UsageError
from schemas.records import Message, prompt_id_of
from training.starter_reward.spoilt import EVASIONS, LENGTHENED, SPOILT, lengthen, spoil

Part = Literal["train", "validation", "held_out"]
VALIDATION: Final = 0.20
HELD_OUT: Final = 0.25
# The scores run from -2.1 to 5.6: two answers nearer than a fifteenth of that are a coin toss to their judge.
KORM_MIN_MARGIN: Final = 0.5
KORM_PAIRS_A_PROMPT: Final = 2
# Characters of an answer that is to be made longer: beyond, the longer one would rarely fit into the model's window.
BLOATED: Final = range(20, 1201)
# A short right answer and a refusal are hard to tell apart by their looks; nobody would learn from those pairs.
EVADED: Final = range(80, 1201)
TURN: Final = re.compile(r"\n\n(Human|Assistant):")
ROLE: Final = {"Human": "user", "Assistant": "assistant"}


@dataclass(frozen=True)
class Pair:
    """One comparison; `kind` tells the pairs of one source apart."""

    source: str
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    kind: str = ""

    @property
    def prompt_id(self) -> str:
        """Id of the whole context, every turn of it."""
        return prompt_id_of(self.prompt)

    @property
    def part(self) -> Part:
        """Side of the split, from the id of the conversation's first turn alone.

        A conversation and its own continuation open alike, so they fall on one side; so does, all the more, every
        pair of one prompt. The id is a sha256, hence its first 32 bits are uniform.
        """
        at = int(prompt_id_of(self.prompt[:1])[:8], 16) / 2**32
        return "held_out" if at < HELD_OUT else "validation" if at < HELD_OUT + VALIDATION else "train"

    def conversations(self) -> tuple[list[Message], list[Message]]:
        """The chosen and the rejected conversation, each ending in an assistant turn."""
        return (
            [*self.prompt, {"role": "assistant", "content": self.chosen}],
            [*self.prompt, {"role": "assistant", "content": self.rejected}],
        )


@dataclass
class Source:
    """The pairs of one source, and how many were left out for which reason."""

    pairs: list[Pair]
    left_out: Counter[str] = field(default_factory=Counter)
    seen: set[tuple[str, str, str]] = field(default_factory=set)

    def of(self, part: Part) -> list[Pair]:
        """The pairs of one side of the split, in the order of their prompt ids: a sample of them is their head."""
        return sorted((p for p in self.pairs if p.part == part), key=lambda p: (p.prompt_id, p.chosen, p.rejected))


def load(folder: Path, seed: int, names: Sequence[str] = ()) -> dict[str, Source]:
    """Read the named sources of the folder (all of them where none is named), by name.

    Raises UsageError, naming all the files that are missing.
    """
    wanted = [name for name in SOURCES if not names or name in names]
    patterns = list(dict.fromkeys(pattern for name in wanted for pattern in FILES[name]))
    missing = [pattern for pattern in patterns if not any(folder.glob(pattern))]
    if missing:
        raise UsageError(
            f"{folder}: {len(missing)} of {len(patterns)} preference files are missing: {', '.join(missing)}",
            hint="name the folder that holds them: make reward-model DATA=folder",
        )
    return {name: SOURCES[name](folder, seed) for name in wanted}


def turns(transcript: str) -> list[Message]:
    r"""Messages of a transcript written as `\n\nHuman: ...\n\nAssistant: ...`; text before the first turn is none."""
    pieces = TURN.split(transcript)
    return [{"role": ROLE[who], "content": text.strip()} for who, text in zip(pieces[1::2], pieces[2::2], strict=True)]


def hh(folder: Path, seed: int) -> Source:
    """Anthropic HH: the context is every turn but the last, compared turn by turn.

    A longest common string prefix would swallow the words with which both answers open.
    """
    found = Source([])
    for row in _lines(folder / FILES["hh"][0]):
        chosen, rejected = turns(row["chosen"]), turns(row["rejected"])
        if not chosen or chosen[-1]["role"] != "assistant" or not chosen[-1]["content"]:
            found.left_out["chosen_empty"] += 1
        elif chosen[:-1] != rejected[:-1] or rejected[-1]["role"] != "assistant":
            found.left_out["contexts_differ"] += 1
        else:
            _add(found, Pair("hh", tuple(chosen[:-1]), chosen[-1]["content"], rejected[-1]["content"]))
    return found


def pandalm(folder: Path, seed: int) -> Source:
    """PandaLM: the answer that two or three of the three annotators prefer (0 tie, 1 first, 2 second)."""
    found = Source([])
    for row in orjson.loads((folder / FILES["pandalm"][0]).read_bytes()):
        verdict, votes = Counter(row[f"annotator{n}"] for n in (1, 2, 3)).most_common(1)[0]
        # Some answers that read True or False are JSON booleans.
        answers = [str(row["response1"]).strip(), str(row["response2"]).strip()]
        if verdict == 0 or votes < 2:
            found.left_out["tie"] += 1
        elif not all(answers):
            found.left_out["empty_answer"] += 1
        else:
            chosen, rejected = answers if verdict == 1 else answers[::-1]
            _add(found, Pair("pandalm", _user(row["instruction"], row["input"]), chosen, rejected))
    return found


def hrc(folder: Path, seed: int) -> Source:
    """Human Rights Corpus: the answer grounded in a counselling case or decision over ChatGPT's ungrounded one."""
    found = Source([])
    for row in _lines(folder / FILES["hrc"][0]):
        _add(
            found,
            Pair("hrc", _user(row["질의"]), row["상담례, 결정례 기반 답변"].strip(), row["ChatGPT API 답변"].strip()),
        )
    return found


def korm(folder: Path, seed: int) -> Source:
    """Answers of several models to one prompt: two pairs a prompt, drawn from those with a clear gap of scores.

    They are drawn and not the widest ones, for in those the longer answer wins nine times in ten.
    """
    prompts: dict[str, tuple[Message, ...]] = {}
    answers: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for file in sorted(folder.glob(FILES["korm"][0])):
        for row in _lines(file):
            prompt = tuple({"role": m["role"], "content": m["content"]} for m in row["conversations"])
            prompts[prompt_id_of(prompt)] = prompt
            answers[prompt_id_of(prompt)].append((float(row["score"]), row["response"].strip()))
    found = Source([])
    for prompt_id, scored in sorted(answers.items()):
        scored.sort()
        every = [(high, low) for at, low in enumerate(scored) for high in scored[at + 1 :]]
        clear = [(h[1], low[1]) for h, low in every if h[0] - low[0] >= KORM_MIN_MARGIN and h[1] and low[1]]
        draw = random.Random(f"{seed}:{prompt_id}")  # noqa: S311 - nothing secret
        drawn = draw.sample(clear, min(KORM_PAIRS_A_PROMPT, len(clear)))
        found.left_out["gap_too_small_or_empty"] += len(every) - len(clear)
        found.left_out["not_drawn"] += len(clear) - len(drawn)
        for chosen, rejected in drawn:
            _add(found, Pair("korm", prompts[prompt_id], chosen, rejected))
    return found


def made(folder: Path, seed: int) -> Source:
    """A human-written answer over the same answer spoilt, in one way a row; see `spoil`.

    Another question's answer comes from the same side of the split, so that no held-out answer is trained on.
    """
    rows = orjson.loads((folder / FILES["made"][0]).read_bytes())
    good = [Pair("made", _user(r["instruction"], r["input"]), r["output"].strip(), "") for r in rows]
    return _spoilt("made", good, seed, least_words=8)


def made_ko(folder: Path, seed: int) -> Source:
    """The same of the grounded Korean answers."""
    return _spoilt("made_ko", hrc(folder, seed).pairs, seed)


def bloated(folder: Path, seed: int) -> Source:
    """An answer over a worse and longer one, in one way a row; see `lengthen`. The kind names the language."""
    sides = {"en": made(folder, seed).pairs, "ko": hrc(folder, seed).pairs}
    pools = {language: _pools(pairs) for language, pairs in sides.items()}
    found = Source([])
    for language, other in (("en", "ko"), ("ko", "en")):
        for at, pair in enumerate(sides[language]):
            if len(pair.chosen) not in BLOATED:
                found.left_out["too_short_or_long"] += 1
                continue
            draw = random.Random(f"{seed}:{at}:{pair.prompt_id}:long")  # noqa: S311 - nothing secret
            kind = LENGTHENED[at % len(LENGTHENED)]
            longer = lengthen(kind, pair.chosen, pools[language][pair.part], pools[other][pair.part], draw)
            _add(found, Pair("bloated", pair.prompt, pair.chosen, longer, f"{kind}_{language}"))
    return found


def evasive(folder: Path, seed: int) -> Source:
    """An answer over a sentence that answers nothing, where the answer is longer by far; the kind is the language."""
    found = Source([])
    for language, good in (("en", made(folder, seed).pairs), ("ko", hrc(folder, seed).pairs)):
        for at, pair in enumerate(good):
            if len(pair.chosen) not in EVADED:
                found.left_out["too_short_or_long"] += 1
                continue
            draw = random.Random(f"{seed}:{at}:{pair.prompt_id}:evasive")  # noqa: S311 - nothing secret
            _add(found, Pair("evasive", pair.prompt, pair.chosen, draw.choice(EVASIONS[language]), language))
    return found


def _pools(pairs: Sequence[Pair]) -> dict[Part, list[str]]:
    pools: dict[Part, list[str]] = {"train": [], "validation": [], "held_out": []}
    for pair in pairs:
        pools[pair.part].append(pair.chosen)
    return pools


def _spoilt(name: str, good: Sequence[Pair], seed: int, least_words: int = 0) -> Source:
    """Shorter answers than `least_words` are replaced by another question's, for there is little in them to spoil."""
    pools = _pools(good)
    found = Source([])
    for at, pair in enumerate(good):
        draw = random.Random(f"{seed}:{at}:{pair.prompt_id}")  # noqa: S311 - nothing secret
        kind = SPOILT[at % len(SPOILT)] if len(pair.chosen.split()) >= least_words else "other"
        rejected = spoil(kind, pair.chosen, pools[pair.part], draw)
        _add(found, Pair(name, pair.prompt, pair.chosen, rejected, kind))
    return found


FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "hh": ("hh_harmless_base_test.jsonl.gz",),
    "pandalm": ("pandalm_testset_v1.json",),
    "hrc": ("hrc_v1.jsonl",),
    "korm": ("korm_*.jsonl",),
    "made": ("alpagasus_dolly_3k.json",),
    "made_ko": ("hrc_v1.jsonl",),
    "bloated": ("alpagasus_dolly_3k.json", "hrc_v1.jsonl"),
    "evasive": ("alpagasus_dolly_3k.json", "hrc_v1.jsonl"),
}
SOURCES: Final[Mapping[str, Callable[[Path, int], Source]]] = {
    "hh": hh,
    "pandalm": pandalm,
    "hrc": hrc,
    "korm": korm,
    "made": made,
    "made_ko": made_ko,
    "bloated": bloated,
    "evasive": evasive,
}


def _add(found: Source, pair: Pair) -> None:
    content = (pair.prompt_id, pair.chosen, pair.rejected)
    if pair.chosen == pair.rejected:
        found.left_out["same_answer"] += 1
    elif content in found.seen:
        found.left_out["duplicate"] += 1
    else:
        found.seen.add(content)
        found.pairs.append(pair)


def _user(instruction: str, given: str = "") -> tuple[Message, ...]:
    text = "\n\n".join(part for part in (instruction.strip(), given.strip()) if part)
    return ({"role": "user", "content": text},)


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as opened:
        for line in opened:
            if line.strip():
                yield orjson.loads(line)
