"""`gear`, with `kill -9` at one of the moments of a certificate's switch (`moments`)."""

from __future__ import annotations

import sys

from geartrain.__main__ import main
from geartrain.engine.certificates import Store
from geartrain.engine.docker import edge
from geartrain.release.ledger import DiskLedger
from tests.server.moments import around

for method in ("put", "sweep"):
    around(Store, method)
for function in ("prepare", "test", "point", "_reload"):
    around(edge, function)
around(DiskLedger, "tell")
sys.argv[0] = "gear"
sys.exit(main())
