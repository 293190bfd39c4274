"""Sets the wall clock back in every Python process that has this folder on PYTHONPATH and BEHIND_S set.

Monotonic clocks go on as they do where somebody sets a machine's clock.
"""

import datetime as dt
import os

import time_machine

_behind = dt.timedelta(seconds=int(os.environ["BEHIND_S"]))
time_machine.travel(dt.datetime.now(dt.UTC) - _behind).start()
