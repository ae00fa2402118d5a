"""Training on the curated sets: SFT, rejection-sampling SFT, DPO and a reward model, thin over TRL and Accelerate."""
