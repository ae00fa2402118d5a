"""Several scorers as one reward: brought to one unit, put together, and silent where they contradict each other."""
