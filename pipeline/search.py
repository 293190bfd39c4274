"""`provender search`: what is asked, found and shown; pools come from `gather`, models from `model`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.errors import ProvenderError
from pipeline import render
from pipeline.gather import INDEX, Pool, gather

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from evaluation.index import Encode, VectorIndex
    from evaluation.search import Hit, Semantic
    from pipeline.experts import RoutedModel
    from pipeline.model import Model
    from resources.lake import Lake

MODES = ("hybrid", "semantic", "lexical")

_LINES, _WIDTH = 6, 74
"""Of a hit's code in the terminal."""
_SNIPPET_LINES = 20
_LONG_WORK = 2_000
"""Definitions to encode above which a person is told what else there is."""
_JUDGED = "judged_test"
_UNSAFE = re.compile(f"[{re.escape(''.join(map(chr, render.UNPRINTABLE)))}]")


@dataclass(frozen=True)
class Asked:
    """A query, where to search it, with what, and how much to show."""

    query: str
    place: str = ""
    model: str = ""
    mode: str = "hybrid"
    count: int = 10
    as_json: bool = False


def search(asked: Asked) -> int:
    """Print the definitions that answer a query best.

    Raises:
        ProvenderError: an unknown mode, place or model, nothing to search, or a damaged index.
    """
    from pipeline.running import quiet
    from resources.lake import Lake

    if asked.mode not in MODES:
        raise ProvenderError(
            f"There is no mode `{asked.mode}`.",
            where="--mode",
            remedy=f"Choose {', '.join(MODES[:-1])} or {MODES[-1]}.",
        )
    if not asked.query.strip():
        raise ProvenderError(
            "The query is empty.", where="provender search", remedy='As `provender search "…"`.'
        )
    lake = Lake()
    quiet()
    model = None
    if asked.mode != "lexical":
        from pipeline.model import chosen

        model = chosen(lake, asked.model)  # a mistake in it is told before anything is read
    pool = gather(lake, asked.place)
    lake.check_writable()
    found = _found(lake, asked, pool, model)
    units = pool.units[[hit.position for hit in found]].to_dicts()
    if asked.as_json:
        hits = zip(found, units, strict=True)
        print(_escaped([_row(rank, *each) for rank, each in enumerate(hits, 1)]))
    else:
        _print(render.console(), asked, pool, found, units)
    return 0


def _found(lake: Lake, asked: Asked, pool: Pool, model: Model | RoutedModel | None) -> list[Hit]:
    from evaluation.documents import render as document
    from evaluation.search import best

    texts = [document(unit, "indexed") for unit in pool.units.iter_rows(named=True)]
    lexical = None if asked.mode == "semantic" else _lexical(lake, pool, texts, asked.query)
    semantic = None if model is None else _semantic(lake, asked.query, pool, texts, model)
    return best(asked.count, semantic=semantic, lexical=lexical, alpha=_alpha(lake, asked.model))


def _alpha(lake: Lake, model: str = "") -> float:
    """The weight that the last evaluation chose on its judged validation queries, if there was one.

    That of the experts, where they were evaluated and are searched with; else the tuned model's.
    """
    from assets.metrics import METRICS, TUNED
    from evaluation.routing import ROUTED
    from evaluation.search import ALPHA
    from pipeline.experts import NAME

    if lake.stored(*METRICS) is None:
        return ALPHA
    chosen = lake.read(*METRICS, columns=["eval_set", "system", "mode", "alpha"]).filter(
        eval_set=_JUDGED, mode="hybrid"
    )
    alphas = dict(chosen.select("system", "alpha").iter_rows())
    systems = (ROUTED, TUNED) if model == NAME else (TUNED,)
    return next((float(alphas[each]) for each in systems if each in alphas), ALPHA)


def _semantic(
    lake: Lake, query: str, pool: Pool, texts: Sequence[str], model: Model | RoutedModel
) -> Semantic:
    """The pool's index, brought up to date, and the query's vectors."""
    from evaluation.index import Adapters, VectorIndex, key_of
    from evaluation.search import Semantic

    domains = pool.units["domain"].to_list()
    readers = [model.reader(domain) for domain in domains]
    keys = [key_of(reader, text) for reader, text in zip(readers, texts, strict=True)]
    sources = pool.units["source"].to_list()
    # A source that has no definition any more has none in the index either.
    wanted: dict[str, dict[str, str]] = {name: {} for name in pool.sources}
    for source, key, text in zip(sources, keys, texts, strict=True):
        wanted[source][key] = text
    adapters = (
        Adapters(dict(zip(keys, readers, strict=True)), model.readers) if model.readers else None
    )
    index = VectorIndex(lake.path(INDEX, model.fingerprint, pool.scope), adapters)
    of = dict(zip(texts, domains, strict=True))
    _update(index, wanted, lambda some: model.encode_documents(some, [of[text] for text in some]))
    return Semantic(model.encode_query(query), index, pool.sources, keys)


def _update(index: VectorIndex, wanted: Mapping[str, Mapping[str, str]], encode: Encode) -> None:
    """Encode what is new, with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    columns = (TextColumn("encoding"), BarColumn(), MofNCompleteColumn(), Remaining())
    # Where nobody looks on, rich would leave an empty line.
    silent = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=silent) as progress:
        task = progress.add_task("", visible=False)

        def told(done: int, total: int) -> None:
            if not done and total > _LONG_WORK:
                console.print(
                    f"{total:,} definitions are new to this model, and are encoded once. A search"
                    " that is stopped goes on where it was; `--in` searches less, `--mode lexical`"
                    " needs no model.",
                    highlight=False,
                )
            progress.update(task, completed=done, total=total, visible=True)

        done = index.update(wanted, encode, told)
    if done.outdated:
        named = ", ".join(f"{count:,} by {name}" for name, count in sorted(done.outdated.items()))
        console.print(
            f"definitions that an older adapter had encoded, and that are encoded again: {named}",
            highlight=False,
        )


def _lexical(lake: Lake, pool: Pool, texts: Sequence[str], query: str) -> np.ndarray:
    """BM25 of each text; their words are counted once, as long as the texts stay as they are."""
    from common.atomic import replacing_folder
    from common.hashing import digest
    from evaluation.bm25 import Bm25

    place = lake.path(INDEX, "lexical", f"{pool.scope}-{digest(pool.sources)[:8]}")
    made_from = digest(texts)
    note = place / "made_from.txt"
    try:
        if note.read_text(encoding="ascii") == made_from:
            return Bm25.load(place).scores(query)
    except (OSError, ValueError, KeyError, IndexError, EOFError):
        pass  # not there, or damaged: it is made in seconds
    counted = Bm25.of(texts)
    with replacing_folder(place) as folder:
        counted.save(folder)
        (folder / note.name).write_text(made_from, encoding="ascii")
    return counted.scores(query)


def _row(rank: int, hit: Hit, unit: Mapping[str, Any]) -> dict[str, Any]:
    """What `--json` says of a hit."""
    shown = ("source", "revision", "path", "start_line", "end_line", "symbol", "language")
    snippet = "\n".join(unit["code"].splitlines()[:_SNIPPET_LINES])
    return {
        **{name: unit[name] for name in shown},
        "score": round(hit.score, 6),
        "rank": rank,
        "snippet": snippet,
    }


def _escaped(rows: list[dict[str, Any]]) -> str:
    """`rows` as JSON in which no control character stands as such."""
    text = json.dumps(rows, ensure_ascii=False, indent=1)
    # Line breaks between the rows are ours: those inside strings are escaped already.
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _print(
    out: Console, asked: Asked, pool: Pool, found: Sequence[Hit], units: Sequence[Mapping[str, Any]]
) -> None:
    from rich.padding import Padding

    words = _words(asked.query)
    for rank, (hit, unit) in enumerate(zip(found, units, strict=True), 1):
        head = render.text(f"{rank:2}  ", "bold")
        head.append_text(_place(pool, unit))
        head.append("  ")
        head.append_text(render.text(unit["symbol"], "bold"))
        out.print(head)
        out.print(
            render.text(f"    {hit.score:.3f} · {unit['source']} · {unit['language']}", "dim")
        )
        lines = unit["code"].splitlines()
        out.print(
            Padding(_code(lines[:_LINES], unit["language"], words), (0, 0, 0, 4), expand=False)
        )
        if len(lines) > _LINES:
            out.print(f"    … {len(lines) - _LINES} more lines", style="dim")
        out.print()
    sources = pool.units["source"].n_unique()
    where = f"{sources} sources" if sources > 1 else pool.units["source"][0]
    told = f"{len(found)} of {pool.units.height:,} definitions of {where}, {asked.mode}"
    out.print(told if found else f"No definition of {where} has a word of the query.", style="dim")


def _place(pool: Pool, unit: Mapping[str, Any]) -> Text:
    """Path and line; of a folder, as a terminal or an editor opens them from where the reader stands."""
    from rich.style import Style

    path = unit["path"]
    if pool.folder is None:
        return render.text(f"{path}:{unit['start_line']}", "cyan")
    place = pool.folder / path
    here = Path.cwd()
    shown = place.relative_to(here) if place.is_relative_to(here) else place
    text = render.text(f"{shown}:{unit['start_line']}", "cyan")
    text.stylize(Style(link=place.as_uri()))  # it has no control characters: they are escaped there
    return text


def _code(lines: Sequence[str], language: str, words: Sequence[str]) -> Text:
    """`lines` in the colours of their language, none longer than the terminal, the query's words bold."""
    cut = [
        line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
        for line in (each.expandtabs(4) for each in lines)
    ]
    text = render.syntax("\n".join(cut), language).highlight(
        "\n".join(cut).translate(render.UNPRINTABLE)
    )
    text.rstrip()
    if words:
        text.highlight_regex(rf"(?i)({'|'.join(map(re.escape, words))})", "bold underline")
    return text


def _words(query: str) -> list[str]:
    """The words of a query that say something, the longest first."""
    from corpus.text import STOPWORDS

    words = {word.lower() for word in re.findall(r"\w{3,}", query)} - STOPWORDS
    return sorted(words, key=lambda word: (-len(word), word))
