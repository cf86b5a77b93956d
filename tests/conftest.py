"""No test uses or fills the cache of whoever runs it, nor does a process that a test starts."""

import os

os.environ["CHECKREIN_CACHE"] = "off"
