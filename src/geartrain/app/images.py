"""What an image's name says of the program in it."""

from __future__ import annotations

from collections.abc import Iterable

from geartrain.app.model import PublishedPort

DATABASE_IMAGES = frozenset(
    {"postgres", "postgresql", "postgis", "pgvector", "timescaledb", "timescaledb-ha",
     "supabase-postgres", "pgvecto-rs", "paradedb", "alloydbomni", "postgres-ai", "spilo"}
)  # fmt: skip
CACHE_IMAGES = frozenset(
    {"redis", "valkey", "keydb", "redis-stack", "redis-stack-server", "redismod"}
)
NGINX_IMAGES = frozenset({"nginx", "nginx-unprivileged", "openresty", "freenginx", "angie"})

# Other stores: no port of theirs speaks HTTP, whatever its number.
STORE_IMAGES = frozenset(
    {"mysql", "mysql-server", "mariadb", "percona", "percona-server", "mongo", "mongodb",
     "mongodb-community-server", "memcached", "cassandra", "scylla", "zookeeper", "cp-zookeeper",
     "kafka", "cp-kafka"}
)  # fmt: skip

# Ports by their usual protocol, which nginx cannot proxy as HTTP.
# Source: IANA, Service Name and Transport Protocol Port Number Registry; the programs' manuals.
NOT_HTTP = {
    21: "FTP", 22: "SSH", 23: "Telnet", 25: "SMTP", 53: "DNS", 110: "POP3", 143: "IMAP",
    389: "LDAP", 465: "SMTP", 587: "SMTP", 636: "LDAP", 993: "IMAP", 995: "POP3", 1025: "SMTP",
    1433: "SQL Server", 1521: "Oracle", 1883: "MQTT", 2181: "ZooKeeper", 2222: "SSH",
    3306: "MySQL", 4222: "NATS", 5432: "PostgreSQL", 5671: "AMQP", 5672: "AMQP", 6379: "Redis",
    6432: "PostgreSQL", 7687: "Bolt", 8883: "MQTT", 9042: "Cassandra", 9092: "Kafka",
    9300: "Elasticsearch", 11211: "memcached", 26257: "PostgreSQL", 27017: "MongoDB",
    33060: "MySQL", 50051: "gRPC", 61616: "ActiveMQ",
}  # fmt: skip


def image_base(image: str) -> str:
    """The last word of an image's name: `docker.io/bitnami/redis:7.2` is `redis`.

    >>> image_base("supabase/postgres:15.1")
    'postgres'
    """
    name = image.split("@", 1)[0].rsplit("/", 1)[-1]
    return name.split(":", 1)[0].lower()


def answering(ports: Iterable[PublishedPort]) -> list[PublishedPort]:
    """The ports of a service that may speak HTTP."""
    return [p for p in ports if p.protocol == "tcp" and p.target not in NOT_HTTP]
