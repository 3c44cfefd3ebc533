"""Base images made on this machine, for when no registry can be reached."""
