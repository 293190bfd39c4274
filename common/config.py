"""Typed YAML: one pydantic model a file; an unknown key is refused with the nearest known one."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from common.errors import ProvenderError


class Settings(BaseModel):
    """Base of every configuration model: immutable, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Settings)


def load(path: Path, model: type[S]) -> S:
    """Read `path` as YAML into `model`.

    Raises:
        ProvenderError: the file is missing, is no YAML mapping, or breaks the model's schema.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise ProvenderError(
            "There is no such file.", where=str(path), remedy="Check the path."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProvenderError(
            f"This is not valid YAML: {' '.join(str(error).split())}",
            where=str(path),
            remedy="Correct the syntax.",
        ) from None
    if not isinstance(data, dict):
        raise ProvenderError(
            "The file holds no mapping of settings.",
            where=str(path),
            remedy=f"Write at least one of: {', '.join(model.model_fields)}.",
        )
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ProvenderError(
            "; ".join(_explain(problem, model) for problem in error.errors()) + ".",
            where=str(path),
            remedy="Correct the setting and run again.",
        ) from None


def _explain(problem: Any, model: type[BaseModel]) -> str:
    location = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"`{location}`: {problem['msg']}"
    known = sorted(_known_keys(model))
    nearest = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1, cutoff=0.5)
    hint = f"did you mean `{nearest[0]}`?" if nearest else f"known keys: {', '.join(known)}"
    return f"unknown key `{location}`; {hint}"


def _known_keys(annotation: Any) -> set[str]:
    """Every key that `annotation`, or a model nested in it, accepts."""
    keys: set[str] = set()
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            keys |= {field.alias or name} | _known_keys(field.annotation)
    for argument in get_args(annotation):
        keys |= _known_keys(argument)
    return keys
