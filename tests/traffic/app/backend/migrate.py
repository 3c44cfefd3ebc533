"""The release command: fails for a version that says so."""

from version import VERSION

if VERSION.startswith("unmigrated"):
    raise SystemExit("this migration does not work")
