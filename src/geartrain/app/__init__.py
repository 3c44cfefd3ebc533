"""The typed model of a Compose file: services, roles, routes, policies. Pure."""
