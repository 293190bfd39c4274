"""The stages and experts of a curriculum, as `config/curriculum.yaml` names them: read by the corpus, and by
training.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from common.config import Settings
from common.errors import ProvenderError, hint

StageName = Literal["general", "rust", "formal", "personal"]
ORDER: tuple[StageName, ...] = ("general", "rust", "formal", "personal")
"""Each stage goes on from the one before, so far as a profile has it. A stage is called as its domain is."""


class StageSettings(Settings):
    """How one stage is trained."""

    recipe: str = Field(description="a recipe beside the curriculum")
    pairs: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="pairs that it draws, in place of the recipe's mixture.max_pairs"
    )
    replay: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0,
        description="share of what it draws that earlier stages' domains have; an expert's, all others'",
    )


Stages = Annotated[dict[StageName, StageSettings], Field(min_length=1)]


EXPERT = "expert_"
"""What the name of an expert begins with: `expert_rust`."""


def profile(profiles: Mapping[str, Stages], *, where: str, name: str | None = None) -> Stages:
    """The stages, in order, of the profile `name`, else of PROVENDER_STAGES's, else of the first.

    Raises:
        ProvenderError: there is no such profile, or none at all.
    """
    if not profiles:
        raise ProvenderError(
            "No stage is named.",
            where=where,
            remedy="Write at least one profile of stages.",
        )
    asked = name or os.environ.get("PROVENDER_STAGES") or next(iter(profiles))
    if asked not in profiles:
        raise ProvenderError(
            f"There is no profile of stages `{asked}`; {hint(asked, profiles, 'profiles')}",
            where=where,
            remedy="Correct the name (PROVENDER_STAGES, --stages), or write the profile.",
        )
    return {each: profiles[asked][each] for each in ORDER if each in profiles[asked]}
