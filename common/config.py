"""Typed YAML: one pydantic model a file; an unknown key is refused with the nearest known one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from common.errors import ProvenderError, hint


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
        text = path.read_text(encoding="utf-8")
        data = yaml.safe_load(text)
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
            "; ".join(_explain(problem, model, text) for problem in error.errors()),
            where=str(path),
            remedy="Correct the setting and run again.",
        ) from None


def _explain(problem: Any, model: type[BaseModel], text: str) -> str:
    location = ".".join(str(part) for part in problem["loc"])
    line = f"line {_line(yaml.compose(text, Loader=yaml.SafeLoader), problem['loc'])}: "
    return line + _fault(problem, model, location)


def _line(node: Any, location: Sequence[int | str]) -> int:
    """The line of the innermost node of a document that `location` leads to, from 1."""
    line = node.start_mark.line + 1
    for place, step in enumerate(location, 1):
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(step)]
            # A scalar leads nowhere: the step is the tag of a union, which is called like a key.
            if found and (place == len(location) or not isinstance(found[0][1], yaml.ScalarNode)):
                [(key, node), *_] = found
                line = key.start_mark.line + 1
            # Else a step that is not in the document: a missing key, or the tag of a union.
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line


def _fault(problem: Any, model: type[BaseModel], location: str) -> str:
    if problem["type"] != "extra_forbidden":
        return f"`{location}`: {problem['msg'].removeprefix('Value error, ')}"
    told = hint(str(problem["loc"][-1]), sorted(_known_keys(model)), "keys")
    return f"unknown key `{location}`; {told}"


def _known_keys(annotation: Any) -> set[str]:
    """Every key that `annotation`, or a model nested in it, accepts."""
    keys: set[str] = set()
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            keys |= {field.alias or name} | _known_keys(field.annotation)
    for argument in get_args(annotation):
        keys |= _known_keys(argument)
    return keys
