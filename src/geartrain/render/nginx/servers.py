"""The servers of an upstream group: a dead replica is passed over, the last one never given up."""

from __future__ import annotations

from collections.abc import Sequence


def server_words(addresses: Sequence[str]) -> list[str]:
    """The arguments of each `server` directive of a group.

    A replica that failed is left alone for a second (the shortest that nginx
    has), so that requests do not try it first. Were all of them left alone,
    nginx would answer 502 without asking anybody, even when one is back
    already; so each is its own backup, which is always asked.

    Args:
        addresses: `address:port` of the live instances, at least one.

    Source: nginx.org, ngx_http_upstream_module, `server`.
    """
    if len(addresses) == 1:  # nginx never passes over a single one
        return list(addresses)
    return [
        *(f"{address} max_fails=1 fail_timeout=1s" for address in addresses),
        *(f"{address} max_fails=0 backup" for address in addresses),
    ]
