"""Who may do what on a host: SSH keys with roles, and what they ask for."""
