"""Which two candidates of a prompt make a pair: one module a policy, found by its name.

    select(candidates: pl.LazyFrame, settings: Preference, seed: int) -> pl.LazyFrame

`candidates` has prompt_id, completion_id, score (finite; what pairs go by), eligible (may be chosen) and length (in
characters). What comes back is prompt_id, chosen_id and rejected_id, the score of chosen above that of rejected. A
policy never looks at the order of rows or at the minimum margin.
"""
