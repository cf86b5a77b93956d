"""Where random tests begin: `make test` says it, and another place for other sources."""

import os

SEED = int(os.environ.get("CHECKREIN_SEED", "1"))
