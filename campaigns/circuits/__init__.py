"""Campaigns that tune circuits."""
