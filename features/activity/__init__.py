"""Activity of populations of neurons: spike trains and rates of recordings and models, and what is measured in them."""
