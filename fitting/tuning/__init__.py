"""Tuning of circuits: stages, what to simulate next, when a stage is met, and why it is not."""
