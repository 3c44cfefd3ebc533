"""The release path: snapshot, plan, apply, history. Speaks only the `Engine` protocol."""
