"""The bias panel: what scores and pairs teach beside quality, in plain numbers, and limits that stop a run."""

from curation.bias.limits import enforce
from curation.bias.run import bias_panel

__all__ = ["bias_panel", "enforce"]
