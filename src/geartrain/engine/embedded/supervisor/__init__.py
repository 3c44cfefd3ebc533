"""The process keeper of a private host.

Two small processes: the *guard*, which adopts and ends whatever outlives its
parent, and the *supervisor* below it, which starts, probes, restarts and stops
instances and answers on a Unix socket. Neither knows what a release is. Only
the standard library is imported here, so that both stay small.
"""
