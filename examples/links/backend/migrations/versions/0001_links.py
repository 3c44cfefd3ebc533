"""Accounts, links and their clicks."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE accounts (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9._-]{1,31}$') UNIQUE,
            password text NOT NULL CHECK (password LIKE '$argon2id$%'),
            created_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("""
        CREATE TABLE links (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            account_id bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
            slug text NOT NULL CHECK (slug ~ '^[A-Za-z0-9_-]{3,32}$') UNIQUE,
            url text NOT NULL CHECK (url ~ '^https?://' AND length(url) <= 2048),
            clicks bigint NOT NULL DEFAULT 0 CHECK (clicks >= 0),
            created_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    # A page of an account's links, newest first.
    op.execute("CREATE INDEX links_account ON links (account_id, id DESC)")
    # The id is made where the click happens, so a click that is delivered twice counts once.
    op.execute("""
        CREATE TABLE clicks (
            id uuid PRIMARY KEY,
            link_id bigint NOT NULL REFERENCES links ON DELETE CASCADE,
            at timestamptz NOT NULL,
            counted boolean NOT NULL DEFAULT false
        )
    """)
    op.execute("CREATE INDEX clicks_fresh ON clicks (link_id) WHERE NOT counted")
    op.execute("CREATE INDEX clicks_link ON clicks (link_id)")  # for deleting a link
    op.execute("CREATE INDEX clicks_at ON clicks USING brin (at)")  # for deleting old clicks
    op.execute("""
        CREATE TABLE days (
            link_id bigint NOT NULL REFERENCES links ON DELETE CASCADE,
            day date NOT NULL,
            clicks bigint NOT NULL CHECK (clicks > 0),
            PRIMARY KEY (link_id, day)
        )
    """)
    # The newest holder of each lock that Redis gives out: see app/lease.py.
    op.execute("""
        CREATE TABLE fences (
            name text PRIMARY KEY,
            token bigint NOT NULL
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE fences, days, clicks, links, accounts")
