"""Training on the curated sets: SFT, rejection-sampling SFT, DPO and a reward model, thin over TRL and Accelerate."""

import os

# Read when torch is first imported. By default an idle OpenMP thread spins, and where other processes share the cores
# that takes their time and its own: two SFT steps of SmolLM2-135M took 106 s on two busy cores, 29 s with this.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
