"""Builds of a release's own images."""
