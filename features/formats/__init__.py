"""Tables of feature targets as other programs write them: BluePyEfe, BluePyEModel and what came before them."""
