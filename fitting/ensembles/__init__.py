"""Ensembles of cell models: selection, validation and export."""
