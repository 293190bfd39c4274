"""The log of runs for machines: one JSON object a line, with run, asset and source in fields of their own.

An instance file names it (`python_logs`, as docker/dagster.yaml does). What people read stays as Dagster
writes it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


class JsonLines(logging.Formatter):
    """A record of Dagster's as `{"time", "level", "message", "run", "job", "asset", "source"}`.

    Fields without a value are left out; so is `source` outside of runs of one source.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line. The trace of an exception that a record has is in `error`."""
        known: Mapping[str, Any] = getattr(record, "dagster_meta", {})
        tags = known.get("job_tags") or {}
        row = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": known.get("orig_message") or record.getMessage(),
            "run": known.get("run_id"),
            "job": known.get("job_name"),
            "asset": known.get("step_key"),
            "source": tags.get("dagster/partition"),
            "error": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return json.dumps({key: value for key, value in row.items() if value}, ensure_ascii=False)
