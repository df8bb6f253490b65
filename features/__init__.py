"""What was measured: recordings, their readers, and the features extracted from them."""
