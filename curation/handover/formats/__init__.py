"""The sets of a run in the shapes that other training tools read, a file each; `write.export_as` writes them."""

from __future__ import annotations

from curation.handover.formats import alpaca, axolotl, llama_factory, ms_swift, openrlhf, sharegpt, trl
from curation.handover.formats.rows import Format

FORMATS: dict[str, Format] = {
    "trl": trl.FORMAT,
    "alpaca": alpaca.FORMAT,
    "sharegpt": sharegpt.FORMAT,
    "llama-factory": llama_factory.FORMAT,
    "openrlhf": openrlhf.FORMAT,
    "axolotl": axolotl.FORMAT,
    "ms-swift": ms_swift.FORMAT,
}

__all__ = ["FORMATS", "Format"]
