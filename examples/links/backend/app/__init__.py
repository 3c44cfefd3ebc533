"""Short links with live click counts: PostgreSQL keeps them, Redis makes them fast."""
