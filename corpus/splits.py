"""Which split each source is in: by its pin, else by a hash of its name. Never by what else there is.

A refresh may add sources and take them away; that moves no other, for none is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from common.config import Settings
from common.errors import ProvenderError, hint
from common.hashing import digest
from corpus.sources import AnySource, DatasetSource, Split

_Share = Annotated[float, Field(ge=0, lt=1)]


class Splits(Settings):
    """How sources are held out that no manifest pins."""

    valid: _Share = Field(default=0.02, description="share of the sources to choose settings by")
    test: _Share = Field(default=0.02, description="share of the sources that are only reported")
    pins: Mapping[str, Split] = Field(default={}, description="split of single sources, by name")

    @model_validator(mode="after")
    def _some_train(self) -> Self:
        if self.valid + self.test >= 1:
            raise ValueError("`valid` and `test` leave nothing to train on; lower them")
        return self


def assign(sources: Iterable[AnySource], splits: Splits) -> dict[str, Split]:
    """The split of each source, by name.

    Personal sources and data sets are trained on unless a pin says otherwise: who has one repository should
    not lose it to chance.

    Raises:
        ProvenderError: a pin names no source, or contradicts the manifest.
    """
    known = {source.name: source for source in sources}
    for name, pinned in splits.pins.items():
        if name not in known:
            raise ProvenderError(
                f"`{name}` is pinned, but is no source of the manifest ({hint(name, known, 'sources')}).",
                where="config/curriculum.yaml: splits.pins",
                remedy="Take the pin out, or give the manifest that has the source.",
            )
        if known[name].split not in (None, pinned):
            raise ProvenderError(
                f"`{name}` is pinned to `{pinned}`, but its manifest says `{known[name].split}`.",
                where="config/curriculum.yaml: splits.pins",
                remedy="Keep one of the two: what was trained on once is known to a checkpoint.",
            )
    return {
        name: splits.pins.get(name) or source.split or _drawn(source, splits)
        for name, source in known.items()
    }


def _drawn(source: AnySource, splits: Splits) -> Split:
    if source.domain == "personal" or isinstance(source, DatasetSource):
        return "train"
    # Test from below and valid from above: a greater share of either takes from train alone.
    drawn = int(digest("split", source.name)[:15], 16) / 16**15
    if drawn < splits.test:
        return "test"
    return "valid" if drawn >= 1 - splits.valid else "train"
