"""Circuits of fitted cells: what they are made of, their simulation, and what is measured from it."""
