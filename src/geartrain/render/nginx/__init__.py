"""nginx: the generated edge, and an app's own configuration adapted to where it runs."""
