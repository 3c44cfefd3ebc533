"""What each official image is made of here: one module a family."""
