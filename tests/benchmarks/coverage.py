"""What extraction finds of what a plain header scan finds: `python -m tests.benchmarks.coverage FOLDER…`.

The scan shares no code with the extractors: comments and strings are blanked, and headers matched line
by line. It counts what stands in function bodies and macros, too, so that a few misses are no faults.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from corpus import paths
from corpus.reading import SUPPORTED, definitions

_RUST_WORDS = (
    r"pub(?:\s*\([^)]*\))?|open(?:\([^)]*\))?|closed|uninterp|broadcast|spec(?:\s*\(\s*checked\s*\))?|proof|exec"
    r"|axiom|const|async|unsafe|default|tracked|ghost|extern(?:\s+\"\s*\")?"
)
_HEADERS = {
    "rust": re.compile(rf"^[ \t]*(?:(?:{_RUST_WORDS})\s+)*fn\s+(\w+)", re.MULTILINE),
    # What is indented is most often local to a LET.
    "tlaplus": re.compile(
        r"^(?:LOCAL\s+)?(?!ASSUME|AXIOM|THEOREM|LEMMA)([A-Za-z_]\w*)\s*(?:\([^)\n]*\))?\s*==",
        re.MULTILINE,
    ),
    "lean": re.compile(
        r"^[ \t]*(?:@\[[^\]\n]*\]\s*)*(?:(?:private|protected|public|meta|noncomputable|unsafe|partial|nonrec"
        r"|scoped|local)\s+)*"
        r"(?:theorem|lemma|def|abbrev|structure|inductive|class(?:\s+inductive)?|axiom|opaque)\s+"
        r"([^\s:({\[⦃.]+(?:\.[^\s:({\[⦃.]+)*)",
        re.MULTILINE,
    ),
}
_CONTRACT = re.compile(r"\b(?:requires|ensures|recommends|decreases)\b")
_NOISE = {
    "rust": r'//[^\n]*|/\*.*?\*/|r(#+)".*?"\1|"(?:\\.|[^"\\])*"' + r"|'(?:\\.|[^'\\\n])'",
    "tlaplus": r'\\\*[^\n]*|\(\*.*?\*\)|"(?:\\.|[^"\\\n])*"|\A.*?(?=-{4,}\s*MODULE)',
    "lean": r'--[^\n]*|/-.*?-/|"(?:\\.|[^"\\])*"',
}
_NOISE_OF = {key: re.compile(text, re.DOTALL) for key, text in _NOISE.items()}


@dataclass
class Tally:
    """Counts of one language of one folder; a header counts once for each time that it occurs."""

    files: int = 0
    headers: int = 0
    found: int = 0
    specified: int = 0
    attached: int = 0
    units: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    dialects: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)


def scan(language: str, text: str) -> Counter[tuple[str, bool]]:
    """The names that a plain scan finds, each with whether a contract stands in its header."""
    # What the PlusCal translator wrote is nobody's definition.
    text = re.sub(r"(?s)BEGIN TRANSLATION.*?END TRANSLATION", "", text)
    blank = _NOISE_OF[language].sub(lambda noise: re.sub(r"[^\n]", " ", noise[0]), text)
    found: Counter[tuple[str, bool]] = Counter()
    for header in _HEADERS[language].finditer(blank):
        end = re.compile(r"[{;]").search(blank, header.end()) if language == "rust" else None
        inside = blank[header.end() : end.start()] if end else ""
        found[header[1], bool(_CONTRACT.search(inside))] += 1
    return found


def audit(folder: Path, *, show: int = 0) -> dict[str, Tally]:
    """Compare scan and extraction over the files of `folder`."""
    tallies: dict[str, Tally] = {}
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        language = paths.language(file.name)
        if language not in SUPPORTED:
            continue
        tally = tallies.setdefault(language, Tally())
        content = file.read_bytes()
        extraction = definitions(language, content)
        units = extraction.definitions
        tally.files += 1
        tally.units += len(units)
        tally.kinds.update(each.kind for each in units)
        tally.dialects.update(each.dialect for each in units if each.dialect)
        tally.faults.update([extraction.fault] if extraction.fault else [])
        if language not in _HEADERS:
            continue
        headers = scan(language, content.decode("utf-8", "replace"))
        names = Counter(_last(each.name if language != "lean" else each.symbol) for each in units)
        specified = Counter(_last(each.name) for each in units if each.contracts)
        for (name, contract), count in headers.items():
            hit = min(count, names[_last(name)])
            names[_last(name)] -= hit
            tally.headers += count
            tally.found += hit
            tally.specified += count if contract else 0
            tally.attached += min(count, specified[_last(name)]) if contract else 0
            if hit < count and len(tally.missed) < show:
                tally.missed.append(f"{file.relative_to(folder)}: {name}")
    return tallies


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def main(arguments: list[str]) -> int:
    """Print a table; 1 where no folder is named."""
    show = 20 if "--missed" in arguments else 0
    folders = [Path(each) for each in arguments if not each.startswith("--")]
    if not folders:
        print((__doc__ or "").splitlines()[0], file=sys.stderr)
        return 1
    for folder in folders:
        for language, tally in audit(folder, show=show).items():
            share = f"{tally.found / tally.headers:.1%}" if tally.headers else "-"
            contracts = f"{tally.attached / tally.specified:.1%}" if tally.specified else "-"
            print(
                f"{folder.name} {language}: {tally.files} files, {tally.units} units; "
                f"of {tally.headers} headers {tally.found} found ({share}); "
                f"of {tally.specified} with a contract {contracts} have it"
            )
            print(f"   kinds {dict(tally.kinds.most_common(12))}")
            print(f"   dialects {dict(tally.dialects)} faults {dict(tally.faults)}")
            for each in tally.missed:
                print(f"   missed {each}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
