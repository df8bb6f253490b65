"""Population signals: EEG, MEG, LFP and dipoles, and what is measured of them: spectra, evoked responses, sources."""
