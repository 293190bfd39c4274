"""Text of reStructuredText: roles, literals, references and emphasis."""

from __future__ import annotations

import re

from corpus.markup.base import Inline

# Every span has a longest length: an unclosed one costs no more than that.
_INLINE = re.compile(
    r"""``(?P<literal>(?:[^`]|`(?!`)){1,300}?`?)``
      | (?<!\w)(?::(?P<role>[\w:.+-]{1,40}):)?`(?P<text>[^`]{1,500})`(?::(?P<after>[\w.+-]{1,40}):|__?)?
      | \|(?P<substitution>[^|\s][^|\n]{0,60})\|_{0,2}
      | \s?\[(?:\#?[\w.-]{0,40}|\*)\]_(?!\w)
      | \*\*(?P<strong>[^\s*][^*]{0,500})\*\*
      | \*(?P<emphasis>[^\s*][^*]{0,500})\*
      | (?<![\w`.:/-])(?P<word>[A-Za-z](?:[\w-]{0,60}[A-Za-z0-9])?)__?(?=[\s.,;:!?)]|$)
      | \\(?P<escaped>.)""",
    re.VERBOSE | re.DOTALL,
)
_CODE_ROLES = frozenset(
    """
    func meth class attr obj mod exc data const any code literal samp macro struct type enum member var
    trait fn method function expr concept
    """.split()
)
_NO_WORDS = frozenset("math index cite footcite raw".split())
_TARGET = re.compile(r"\s*<([^<>]*)>\s*$")


def read(text: str) -> Inline:
    """What `text` says, its code and its links."""
    found = Inline()
    found.text = _INLINE.sub(lambda span: _shown(span, found), text)
    return found


def _shown(span: re.Match[str], found: Inline) -> str:
    if span["literal"] is not None:
        found.code.append(span["literal"])
        return span["literal"]
    if span["text"] is not None:
        return _interpreted(span["text"], span["role"] or span["after"] or "", found)
    for group in ("strong", "emphasis", "word", "escaped"):
        if span[group] is not None:
            return span[group].strip() if group == "escaped" else span[group]
    return ""


def _interpreted(text: str, role: str, found: Inline) -> str:
    """The text of :role:`text`, `text <target>`_ or `text`."""
    kind = role.rpartition(":")[2].lower()
    if kind in _NO_WORDS:
        return ""
    target = _TARGET.search(text)
    shown = text[: target.start()] if target and target.start() else text
    address = target[1] if target else text
    if kind in _CODE_ROLES:
        found.code.append(address.lstrip("~!"))
        return shown.lstrip("!") if shown[0] != "~" else shown.rpartition(".")[2].lstrip("~")
    if kind == "file" or (target and not kind):
        found.targets.append(address)
    return shown
