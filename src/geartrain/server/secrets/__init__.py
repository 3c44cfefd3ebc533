"""Secrets of apps: encrypted in Git, opened where a release runs."""
