"""The report of a campaign that tunes a circuit: one HTML file, readable without anything else."""
