"""Licences: what files state (`statements`), which statement counts where (`scope`), what may be
trained on (`policy`). SPDX expressions throughout; every piece of evidence is kept.
"""

from corpus.licences.policy import LicencePolicy, Tier, load_policy
from corpus.licences.scope import Licence, Scopes
from corpus.licences.statements import VERSION, Statement, header, header_text, stated

__all__ = [
    "VERSION",
    "Licence",
    "LicencePolicy",
    "Scopes",
    "Statement",
    "Tier",
    "header",
    "header_text",
    "load_policy",
    "stated",
]
