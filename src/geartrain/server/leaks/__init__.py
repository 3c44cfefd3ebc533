"""What must not be in Git: keys, tokens and files of secrets in the commits of a push."""
