"""The page of `rheobase extract`: what was recorded, what was found in it, and what was dropped."""
