"""How far a model is from what was measured."""
