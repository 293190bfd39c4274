"""Sets the wall clock back in every Python process that has this folder on PYTHONPATH and BEHIND_S set.

Monotonic clocks go on as they do where somebody sets a machine's clock.
"""

import datetime
import os

import time_machine

_behind = datetime.timedelta(seconds=int(os.environ["BEHIND_S"]))
time_machine.travel(datetime.datetime.now(datetime.UTC) - _behind).start()
