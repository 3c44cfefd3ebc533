"""The engine that runs instances as Docker containers."""
