"""Cell models on BluePyOpt and NEURON: from parameters to features and scores."""
