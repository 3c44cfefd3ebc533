"""Geartrain: bring the Compose file you already have; get a production system."""

__version__ = "0.1.0"
