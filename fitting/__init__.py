"""Models, simulation and search."""
