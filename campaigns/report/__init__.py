"""The report of a campaign: one HTML file, readable without anything else."""
