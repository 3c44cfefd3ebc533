"""Prints three lines and ends with a traceback."""

from __future__ import annotations


def connect() -> None:
    raise RuntimeError("no setting SMTP_HOST")


print("reading the settings")
print("opening the mailbox")
print("one more line")
connect()
