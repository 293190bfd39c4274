"""The experts as a model to search with: documents by their domain's adapter, queries by the router's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from common.hashing import digest
from evaluation.routing import BASE, Router, embed, encode_documents
from resources.lake import Lake

if TYPE_CHECKING:
    import torch

    from training.experts import Experts

NAME = "experts"


class RoutedModel:
    """The lake's experts and their router: found and identified at once, loaded when they are needed.

    Attributes:
        fingerprint: of the base model with its lengths. Their index is called by it, so that an adapter
            that was trained anew costs its own documents only.
    """

    name = NAME

    def __init__(
        self, places: dict[str, Path], router: Router, fingerprints: dict[str, str]
    ) -> None:
        self._places, self._router, self._fingerprints = places, router, fingerprints
        self.domains = tuple(places)
        self.fingerprint = digest(NAME, fingerprints[BASE])
        self.routes: dict[str, float] = {}
        """Where the last query went."""

    @property
    def readers(self) -> list[str]:
        """All that may encode a document, as `reader` names it."""
        return [f"{name}:{fingerprint}" for name, fingerprint in self._fingerprints.items()]

    def reader(self, domain: str) -> str:
        """What encodes a document of `domain`, by name and fingerprint."""
        name = domain if domain in self.domains else BASE
        return f"{name}:{self._fingerprints[name]}"

    def encode_documents(self, texts: list[str], domains: Sequence[str]) -> list[torch.Tensor]:
        """Token vectors of each text, `(tokens, dim)`, unit length.

        Raises:
            ProvenderError: the experts cannot be loaded.
        """
        from common.device import pick

        return encode_documents(self._experts, texts, domains, pick())

    def encode_query(self, query: str) -> list[tuple[torch.Tensor, float]]:
        """The token vectors of `query` by each adapter that it is routed to, with its share of the score.

        Raises:
            ProvenderError: the experts cannot be loaded.
        """
        from common.device import pick
        from evaluation.retrieve import encode

        device = pick()
        reads = self._router.reads
        [self.routes] = self._router.routes(embed(self._experts, [query], device, reads))
        found = []
        for name, share in self.routes.items():
            encoder = self._experts.use(name)
            [vectors] = encode(encoder, [query], "query", autocast=device.autocast())
            found.append((vectors, share))
        return found

    @cached_property
    def _experts(self) -> Experts:
        from common.device import pick
        from training.experts import Experts

        loaded = Experts.load(self._places)
        loaded.to(pick().accelerator)
        return loaded


def routed(lake: Lake) -> RoutedModel:
    """The experts that the lake's router was made with.

    Raises:
        ProvenderError: there is no router, an expert is missing, or the router was made with other ones.
    """
    from assets.experts import read_routed

    found = read_routed(lake)
    return RoutedModel(found.places, found.router, found.fingerprints)
