"""A migration that fails."""

from __future__ import annotations

import sys

print("migrating: 0007_add_price")
print('column "price" of relation "orders" contains null values', file=sys.stderr)
sys.exit(2)
