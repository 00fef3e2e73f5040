"""The trusted side of a trial: clock, budget, held-out data, evaluation."""
