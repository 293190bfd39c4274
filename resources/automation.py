"""What `config/automation.yaml` may say: when sources are looked at, and what follows a changed corpus."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import dagster as dg
from pydantic import AfterValidator, Field

from common.config import Settings, load
from resources.project import ROOT


def _cron(given: str) -> str:
    try:
        dg.ScheduleDefinition(job_name="any", cron_schedule=given)
    except dg.DagsterInvalidDefinitionError:
        raise ValueError(f"{given!r} is no cron schedule, as `0 3 * * 1`") from None
    return given


def _timezone(given: str) -> str:
    try:
        ZoneInfo(given)
    except (
        ValueError,
        KeyError,
        OSError,
    ):  # a name out of the database, or none that could be in it
        raise ValueError(f"{given!r} is no IANA time zone, as `Europe/Vienna`") from None
    return given


class Automation(Settings):
    """What happens without anybody asking for it, once it is switched on."""

    cron: Annotated[str, AfterValidator(_cron)] = Field(
        default="0 3 * * 1", description="when the remote heads are looked at, as a cron schedule"
    )
    timezone: Annotated[str, AfterValidator(_timezone)] = Field(
        default="UTC", description="the IANA time zone of `cron`"
    )
    overdue_days: Annotated[int, Field(ge=1)] = Field(
        default=8, description="days without a look after which Dagster calls the sources overdue"
    )
    train: bool = Field(
        default=False, description="whether a changed corpus is trained on, not only evaluated"
    )


def load_automation() -> Automation:
    """PROVENDER_AUTOMATION, else the file that ships.

    Raises:
        ProvenderError: it is missing or breaks the schema.
    """
    shipped = ROOT / "config" / "automation.yaml"
    return load(Path(os.environ.get("PROVENDER_AUTOMATION", shipped)), Automation)
