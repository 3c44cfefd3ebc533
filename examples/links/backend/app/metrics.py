"""What Prometheus reads at `/metrics`, which nginx does not pass on."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()

REQUESTS = Counter("links_requests", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "links_request_seconds",
    "Time to an answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
LOOKUPS = Counter(
    "links_lookups", "Where the address of a redirect came from.", ["source"]
)  # local, redis, database
CLICKS = Counter("links_clicks", "Clicks, by where they were put.", ["store"])  # redis, database
REDIS_DOWN = Counter("links_redis_failures", "Calls that Redis did not answer.")
LISTENERS = Gauge("links_event_listeners", "Open event streams.")
