"""Garbage collection: forget old runs and free what no kept run stands on."""

from curation.gc.free import empty, free
from curation.gc.planning import GRACE_SECONDS, Item, Plan, Rule, plan

__all__ = ["GRACE_SECONDS", "Item", "Plan", "Rule", "empty", "free", "plan"]
