"""The extras of the installation, each loaded only where somebody asked for what it does."""

from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import ProvenderError


@contextmanager
def extra(name: str, what: str, variable: str) -> Iterator[None]:
    """For the imports in its body, which the extra `name` installs.

    Args:
        what: needs it, as the plural subject of a sentence: `Steps in pods`.
        variable: of the environment, that asked for it.

    Raises:
        ProvenderError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError:
        raise ProvenderError(
            f"{what} need the extra `{name}`, which is not installed.",
            where=variable,
            remedy=f"Install provender[{name}], or unset the variable.",
        ) from None
