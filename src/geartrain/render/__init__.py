"""From the model to the files that the system reads: pure, one module per technology."""
