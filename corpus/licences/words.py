"""Which licence a piece of text states, in SPDX: a tag, a header's words, a whole text, a name.

Knows words and no files. `LicenseRef-unknown` is a licence that is stated, but none that is known.
"""

from __future__ import annotations

import re
from functools import lru_cache

from corpus.licences.policy import normal

UNKNOWN = "LicenseRef-unknown"
"""A licence is stated, but it is none that SPDX or the classifier knows."""
_ID = r"\(*[A-Za-z0-9][\w.+-]*(?<!-)\)*"
# A list such as `MIT, GPL-2.0` is taken whole: it is no expression, and so none that is known.
_JOINT = r"(?:[ \t]+(?:OR|AND|WITH)[ \t]+|[ \t]*[,;&|/][ \t]*)"
TAG = re.compile(rf"SPDX-License-Identifier:[ \t]*({_ID}(?:{_JOINT}{_ID})*)", re.IGNORECASE)
_MIN_TEXT_COVERAGE = 50.0
# What headers say in a sentence, where there is no text for the classifier to compare.
_PHRASES = [
    (re.compile(pattern, re.IGNORECASE), spdx)
    for pattern, spdx in (
        (r"mozilla public licen[cs]e,? (?:v(?:ersion|\.)? ?)?2|\bmpl[- ]?v?2", "MPL-2.0"),
        (r"eclipse public licen[cs]e,? ?(?:-|v|version)? ?v?\.? ?1|\bepl[- ]?v?1", "EPL-1.0"),
        (r"eclipse public licen[cs]e,? ?(?:-|v|version)? ?v?\.? ?2|\bepl[- ]?v?2", "EPL-2.0"),
        (r"apache(?: software)?(?: licen[cs]e)?,?(?: version| v)?\.?[- ]?2(?:\.0)?", "Apache-2.0"),
        (r"\bmit(?:/x11)? licen[cs]e|\blicen[cs]ed? (?:under|:) ?mit\b", "MIT"),
        (r"permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
        (r"bsd[- ]2[- ]clause|2[- ]clause bsd|simplified bsd", "BSD-2-Clause"),
        (
            r"bsd[- ]?3[- ]clause|3[- ]clause bsd|(?:new|modified|revised) bsd|\bbsd ?3\b|bsd-style",
            "BSD-3-Clause",
        ),
        (r"permission to use, copy, modify,? (?:and(?:/or)?|or) distribute", "ISC"),
        (r"gnu affero general public licen[cs]e|\bagpl", "AGPL-3.0-only"),
        (r"gnu (?:lesser|library) general public licen[cs]e|\blgpl", "LGPL-2.1-only"),
        (r"gnu general public licen[cs]e|\bgpl(?![- ]compatible)", "GPL-2.0-only"),
        (r"elastic licen[cs]e", "Elastic-2.0"),
        (r"business source licen[cs]e", "BUSL-1.1"),
        (r"server side public licen[cs]e", "SSPL-1.0"),
        (r"boost software licen[cs]e", "BSL-1.0"),
        (r"\bcc0\b|creative commons zero", "CC0-1.0"),
        (r"creative commons(?! zero| cc0| public domain)", UNKNOWN),
        (r"commons clause|functional source licen[cs]e|polyform", UNKNOWN),
        (r"\bcc[- ]by\b|proprietary and confidential|confidential and proprietary", UNKNOWN),
        (r"unauthori[sz]ed (?:copying|use|reproduction)|trade secrets?\b", UNKNOWN),
    )
]
_CHOICE = re.compile(
    r"at your option|\bor\b.{0,40}licen[cs]e|dual[- ]licen[cs]ed", re.IGNORECASE | re.DOTALL
)
_LATER = re.compile(r"any later version", re.IGNORECASE)
# Trove classifiers and the free-text names of manifests whose field is not SPDX.
_NAMES = {
    "mit": "MIT",
    "the mit": "MIT",
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache software": "Apache-2.0",
    "the apache software, version 2.0": "Apache-2.0",
    "apache, version 2.0": "Apache-2.0",
    "apache version 2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 2-clause": "BSD-2-Clause",
    "isc": "ISC",
    "isc (iscl)": "ISC",
    "boost software 1.0 (bsl-1.0)": "BSL-1.0",
    "python software foundation": "PSF-2.0",
    "zlib/libpng": "Zlib",
    "cc0 1.0 universal (cc0 1.0) public domain dedication": "CC0-1.0",
    "mit no attribution (mit-0)": "MIT-0",
    "mozilla public 1.1 (mpl 1.1)": "MPL-1.1",
    "mozilla public 2.0 (mpl 2.0)": "MPL-2.0",
    "mozilla public 2.0": "MPL-2.0",
    "the unlicense (unlicense)": "Unlicense",
    "eclipse public 1.0": "EPL-1.0",
    "eclipse public - v 1.0": "EPL-1.0",
    "eclipse public 2.0": "EPL-2.0",
    "eclipse public v2.0": "EPL-2.0",
    "gnu general public v3 (gplv3)": "GPL-3.0-only",
    "gnu general public v3 or later (gplv3+)": "GPL-3.0-or-later",
    "gnu general public v2 (gplv2)": "GPL-2.0-only",
    "gnu general public v2 or later (gplv2+)": "GPL-2.0-or-later",
    "gnu lesser general public v3 (lgplv3)": "LGPL-3.0-only",
    "gnu lesser general public v3 or later (lgplv3+)": "LGPL-3.0-or-later",
    "gnu lesser general public v2 (lgplv2)": "LGPL-2.0-only",
    "gnu lesser general public v2 or later (lgplv2+)": "LGPL-2.0-or-later",
    "gnu affero general public v3": "AGPL-3.0-only",
    "gnu affero general public v3 or later (agplv3+)": "AGPL-3.0-or-later",
}
_NO_NAMES = ("", "unknown", "osi approved", "dfsg approved")
"""What stands in such a field where nothing is stated."""


def tagged(text: str) -> list[str]:
    """What the SPDX tags in `text` say."""
    return list(dict.fromkeys(spdx_field(tag) for tag in TAG.findall(text)))


@lru_cache(maxsize=8192)
def of_header(text: str) -> str | None:
    """The licence of a header, whose years and names are gone so that equal ones meet in the cache."""
    from licenseclassifier._engine import scan

    found = list(dict.fromkeys(match.id for match in scan(text).match))
    phrases = list(dict.fromkeys(spdx for pattern, spdx in _PHRASES if pattern.search(text)))
    if not any(each.startswith(("GPL", "LGPL", "AGPL")) for each in found):
        found += [_later(spdx, text) for spdx in phrases if spdx not in found]
    if not found:
        return None
    gnu = [each for each in found if "GPL" in each]
    choice = not gnu and UNKNOWN not in found and len(found) > 1 and _CHOICE.search(text)
    return normal((" OR " if choice else " AND ").join(found)) or UNKNOWN


def _later(spdx: str, text: str) -> str:
    """The GNU licence of the version that `text` names, and of later ones if it says so."""
    if "GPL" not in spdx:
        return spdx
    stem, number, _ = spdx.split("-")
    if stated := re.search(r"(?:version|v\.?|gpl[- ]?) ?(\d)(\.\d)?", text, re.IGNORECASE):
        number = stated[1] + (stated[2] or ".0")
    return f"{stem}-{number}-{'or-later' if _LATER.search(text) else 'only'}"


@lru_cache(maxsize=256)
def classified(text: str) -> list[str]:
    from licenseclassifier import identify_license

    found = list(dict.fromkeys(each.id for each in identify_license(text, _MIN_TEXT_COVERAGE)))
    if (
        not found and len(text) < 2000
    ):  # `Licensed under either of MIT or Apache-2.0, at your option`
        expression = of_header(" ".join(text.split()))
        found = [expression] if expression else []
    return [normal(each) or UNKNOWN for each in found]


def spdx_field(field: str) -> str:
    """A field that must be SPDX, in Cargo's old form too, where `MIT/Apache-2.0` means OR."""
    return normal(field) or normal(field.replace("/", " OR ")) or UNKNOWN


def free_text(field: str) -> str | None:
    """What a field that holds a name, an expression or a whole text says; null where it is blank."""
    field = field.strip()
    if field.lower() in _NO_NAMES:
        return None
    if "\n" in field:
        return normal(" AND ".join(classified(field))) or UNKNOWN
    return named_licence(field) or of_header(f"Licensed under: {field}") or UNKNOWN


def named_licence(field: str) -> str | None:
    """The licence that a free-text field names, if it is one of the common names."""
    if not field or "\n" in field.strip():
        return None
    short = " ".join(re.sub(r"\blicen[cs]e\b", " ", field, flags=re.IGNORECASE).split())
    short = short.lower().replace(" ,", ",").removesuffix(" (mit)").strip(" .")
    return _NAMES.get(short) or _NAMES.get(short.removeprefix("the ")) or normal(field)
