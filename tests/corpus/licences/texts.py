"""The full texts of licences, taken from what is installed in any case.

Most lie beside packages that constraints.txt pins; the others are those that licenseclassifier compares
with.
"""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from importlib.metadata import files
from pathlib import Path

import licenseclassifier

_INSTALLED = {
    "MIT": ("pluggy", "LICENSE"),
    "Apache-2.0": ("structlog", "LICENSE-APACHE"),
    "BSD-2-Clause": ("packaging", "LICENSE.BSD"),
    "BSD-3-Clause": ("jinja2", "LICENSE.txt"),
    "MPL-2.0": ("hypothesis", "LICENSE.txt"),
}
ISC = """ISC License

Copyright (c) 2024 The authors

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee
is hereby granted, provided that the above copyright notice and this permission notice appear in all
copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE
INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE
LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING
FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS
ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
"""


@cache
def text(name: str) -> str:
    """The text of `name`: an SPDX id, for the GNU licences without `-only` and `-or-later`."""
    if name == "ISC":
        return ISC
    if name in _INSTALLED:
        package, file = _INSTALLED[name]
        found = next(each for each in files(package) or [] if each.name == file)
        return Path(str(found.locate())).read_text(encoding="utf-8")
    return _plain(_templates()[name])


@cache
def _templates() -> dict[str, str]:
    place = Path(licenseclassifier.__file__).parent / "_engine" / "licenses.json.gz"
    listed = json.loads(gzip.decompress(place.read_bytes()))
    # Some ids are there twice, as a reference and in full.
    return {each["id"]: each["lre"] for each in sorted(listed, key=lambda each: len(each["lre"]))}


def _plain(template: str) -> str:
    """The first of each choice, all that may be left out, no remarks, no blanks to fill."""
    found = re.sub(r"//\*\*.*?\*\*//|__\d+__", " ", template, flags=re.DOTALL)
    innermost = re.compile(r"\(\(((?:(?!\(\(|\)\)).)*)\)\)(?:\?\?)?", re.DOTALL)
    while innermost.search(found):
        found = innermost.sub(lambda hit: hit[1].partition("||")[0], found)
    return re.sub(r"\n\s*\n\s*", "\n\n", found).strip() + "\n"
