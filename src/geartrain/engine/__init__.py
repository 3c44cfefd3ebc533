"""Engines: what runs instances. One protocol, several implementations."""
