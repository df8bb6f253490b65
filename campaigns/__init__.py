"""Campaigns: configuration, runner, record, workers, reports and the command line."""
