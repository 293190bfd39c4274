"""The lake's tables: one pyarrow schema each, every column described. Writers validate against it."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from common.errors import ProvenderError


def _column(name: str, kind: pa.DataType, description: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


_TEXT, _INT, _FLAG = pa.string(), pa.int32(), pa.bool_()

_PLACE = [
    _column("source", _TEXT, "name of the source in the manifest"),
    _column("revision", _TEXT, "git commit, or sha256 of the release archive"),
    _column("path", _TEXT, "path inside the source, with forward slashes"),
    _column("blob_sha", _TEXT, "git blob id of the file's bytes"),
]
_LICENCE = [
    _column("license", _TEXT, "SPDX expression; null where none was proven", nullable=True),
    _column("license_tier", _TEXT, "permissive, weak_file, weak_lib, strong or none"),
]
_SPAN = [
    _column(
        "start_line",
        _INT,
        "first line of the definition with its attributes, without its doc, from 1",
    ),
    _column("end_line", _INT, "last line, inclusive"),
]
_KIND_OF_CODE = [
    _column("language", _TEXT, "rust, python, lean, java, typescript, cpp, tlaplus, smtlib …"),
    _column("dialect", _TEXT, "kani, verus, prusti, creusot or null", nullable=True),
    _column("category", _TEXT, "verification, code, spec, documentation …"),
    _column("is_test", _FLAG, "comes from a test, an example or a benchmark"),
]

SNAPSHOT = pa.schema(
    [
        _column("source", _TEXT, "name of the source in the manifest"),
        _column("origin", _TEXT, "address without credentials, or package URL"),
        _column("revision", _TEXT, "git commit, sha256 of the archive, or worktree: and a tree id"),
        _column("anchor", _TEXT, "core SWHID of the revision or of the root folder"),
        _column("tree", _TEXT, "git tree id of the whole snapshot"),
        _column("path", _TEXT, "path inside the source; odd characters escaped"),
        _column("mode", _TEXT, "git file mode: 100644, 100755, 120000 or 160000"),
        _column("size", pa.int64(), "bytes; null where they are not stored", nullable=True),
        _column("blob_sha", _TEXT, "git blob id of the file's bytes"),
        _column("state", _TEXT, "stored, or why the bytes are not: corpus.snapshots.tree.State"),
    ]
)

_STATEMENT = pa.struct(
    [
        pa.field("by", _TEXT, nullable=False),
        pa.field("place", _TEXT, nullable=False),
        pa.field("expression", _TEXT, nullable=False),
    ]
)

_CONTRACT = pa.struct(
    [
        pa.field("kind", _TEXT, nullable=False),
        pa.field("text", _TEXT, nullable=False),
    ]
)

FILES = pa.schema(
    [
        *_PLACE,
        _column("swhid", _TEXT, "SWHID of the bytes, with origin, anchor and path"),
        _column("size", pa.int64(), "bytes; null where they are not stored", nullable=True),
        _column("language", _TEXT, "null where the file is in no known language", nullable=True),
        *_KIND_OF_CODE[1:],
        *_LICENCE,
        _column(
            "license_evidence",
            pa.list_(_STATEMENT),
            "what speaks for this file, most specific first: by header, text, cargo …; where; what",
        ),
        _column("kept", _FLAG, "goes on to the units"),
        _column("drop_reason", _TEXT, "why not, from corpus.files.Drop", nullable=True),
        _column(
            "states",
            pa.list_(_STATEMENT),
            "the licences that this file itself states, of itself or of others",
        ),
        _column("content_drop", _TEXT, "reason to drop that its bytes give", nullable=True),
        _column("rules", _TEXT, "version of the rules that read the bytes; empty where none did"),
    ]
)

TOMBSTONES = pa.schema(
    [
        _column("source", _TEXT, "source in which the file was found"),
        _column(
            "blob_sha", _TEXT, "git blob id of a file that is to stay out, wherever it turns up"
        ),
    ]
)

UNITS = pa.schema(
    [
        _column("unit_id", _TEXT, "stable hash of source, path, symbol and line"),
        *_PLACE,
        *_SPAN,
        *_KIND_OF_CODE,
        *_LICENCE,
        _column("domain", _TEXT, "general, rust, formal or personal"),
        _column("kind", _TEXT, "function, method, struct, trait, theorem, operator …"),
        _column("symbol", _TEXT, "name with what encloses it, as `Epoch::from_utc`"),
        _column("name", _TEXT, "the bare name"),
        _column("module", _TEXT, "module path inside the file, as `a::b`, or empty"),
        _column("signature", _TEXT, "the header on one line"),
        _column("doc", _TEXT, "the doc comment's text, or empty"),
        _column("prose", _TEXT, "the doc as plain prose: no markup, code blocks or headings"),
        _column("attributes", pa.list_(_TEXT), "attributes in order, without docs"),
        _column("contracts", pa.list_(_CONTRACT), "requires, ensures, invariant, decreases …"),
        _column("heading", _TEXT, "title of the file's section that it stands in, or empty"),
        _column("code", _TEXT, "attributes and definition, without the doc"),
        _column("file_context", _TEXT, "source name + path"),
        _column("swhid", _TEXT, "SWHID of the bytes, with origin, anchor, path and lines"),
        _column(
            "redacted", pa.list_(_TEXT), "rules that found a secret or an address in its lines"
        ),
        _column("extractor", _TEXT, "version of the extractor that made the row"),
    ]
)

PARSED = pa.schema(
    [
        _column("path", _TEXT, "a kept file that was searched for definitions"),
        _column("blob_sha", _TEXT, "git blob id of the file's bytes"),
        _column("extractor", _TEXT, "version of the extractor that searched it"),
        _column("language", _TEXT, "rust, python, lean …"),
        _column("fault", _TEXT, "why some of it could not be read, if so", nullable=True),
        _column("units", _INT, "how many definitions it gave"),
    ]
)

PAIRS = pa.schema(
    [
        _column("pair_id", _TEXT, "stable hash of the normalised query and code"),
        _column("query", _TEXT, "what a person would type"),
        _column("positive", _TEXT, "the code, without its doc"),
        _column("doc_rest", _TEXT, "the doc without the query's own sentence"),
        _column("signature", _TEXT, "the header on one line"),
        _column("query_kind", _TEXT, "doc, keywords, property, prose, symptom, implementation …"),
        _column("pair_type", _TEXT, "doc, path, body, readme, proof or dataset"),
        _column("builder", _TEXT, "versions of the extractor and of what made the pair"),
        *_PLACE,
        *_SPAN,
        _column("symbol", _TEXT, "name with its type or trait"),
        _column("unit_id", _TEXT, "the unit that answers the query"),
        _column("swhid", _TEXT, "SWHID of the bytes, with origin, anchor, path and lines"),
        *_KIND_OF_CODE,
        *_LICENCE,
        _column("domain", _TEXT, "general, rust, formal or personal"),
        _column("file_context", _TEXT, "source name + path"),
    ]
)

CORPUS = pa.schema(
    [
        *PAIRS,
        _column("cluster_id", _TEXT, "the same for units whose code is nearly the same"),
        _column("split", _TEXT, "train, valid or test"),
        _column("weight", pa.float32(), "how often the sampler draws the pair"),
    ]
)

_NAME = pa.struct(
    [
        pa.field("name", _TEXT, nullable=False),
        pa.field("kind", _TEXT, nullable=False),
        pa.field("paragraph", _INT, nullable=False),
    ]
)

_LINK = pa.struct(
    [
        pa.field("path", _TEXT, nullable=False),
        pa.field("fragment", _TEXT, nullable=False),
        pa.field("paragraph", _INT, nullable=False),
    ]
)

SECTIONS = pa.schema(
    [
        *_PLACE,
        _column("start_line", _INT, "line of the heading, from 1"),
        _column("end_line", _INT, "last line before the next heading, inclusive"),
        _column("language", _TEXT, "markdown, restructuredtext or asciidoc"),
        *_LICENCE,
        _column("titles", pa.list_(_TEXT), "headings from the document's title down to its own"),
        _column(
            "prose", pa.list_(_TEXT), "paragraphs as plain text; empty where the file says nothing"
        ),
        _column(
            "names",
            pa.list_(_NAME),
            "identifiers; in title, prose or code; index of the paragraph, or of the one before, or -1",
        ),
        _column("links", pa.list_(_LINK), "files of the repository that its paragraphs link to"),
        _column("file_context", _TEXT, "source name + path"),
        _column("swhid", _TEXT, "SWHID of the bytes, with origin, anchor, path and lines"),
        _column("extractor", _TEXT, "version of the parser that made the row"),
    ]
)

DROPS = pa.schema(
    [
        _column("source", _TEXT, "name of the source in the manifest"),
        _column("language", _TEXT, "rust, python, lean …"),
        _column("pair_type", _TEXT, "doc, path …"),
        _column("reason", _TEXT, "why pairs were dropped"),
        _column("pairs", pa.int64(), "how many"),
    ]
)

LOSSES = pa.schema(
    [
        _column("source", _TEXT, "name of the source in the manifest"),
        _column("units", pa.int64(), "units whose pairs are fit to be trained on"),
        _column("lost", pa.int64(), "of those, the ones that repeat a unit of another source"),
    ]
)

EDGES = pa.schema(
    [
        _column("what", _TEXT, "what was compared: code or query"),
        _column("unit_id_a", _TEXT, "a unit"),
        _column("source_a", _TEXT, "its source"),
        _column("unit_id_b", _TEXT, "a unit that may have nearly the same"),
        _column("source_b", _TEXT, "its source"),
        _column("jaccard", pa.float64(), "exact similarity of their shingles"),
        _column("near", _FLAG, "whether that makes them near-duplicates"),
        _column("repeats", _FLAG, "whether the second may be dropped for the first"),
    ]
)

REMOVED = pa.schema(
    [
        _column("pair_id", _TEXT, "a pair that is not in the corpus"),
        _column("source", _TEXT, "name of the source in the manifest"),
        _column("language", _TEXT, "rust, python, lean …"),
        _column("pair_type", _TEXT, "doc, path …"),
        _column("reason", _TEXT, "why it was dropped"),
        _column(
            "kept", _TEXT, "what it repeats: a unit, a pair, a query, `benchmark:row`; or empty"
        ),
        _column("share", pa.float64(), "how much of it that has, where measured", nullable=True),
    ]
)

SIGNATURES = pa.schema(
    [
        _column("text_id", _TEXT, "stable hash of a text and of the way in which it was signed"),
        _column(
            "bands", pa.list_(pa.uint64(), 16), "its MinHash signature, one number a band of eight"
        ),
    ]
)

QUERIES = pa.schema(
    [
        _column("query_id", _TEXT, "stable id of the query"),
        _column("query", _TEXT, "the text that is searched for"),
        _column("style", _TEXT, "doc, what, keywords, property or symptom"),
        _column("dialect", _TEXT, "kani, verus …, or null", nullable=True),
        _column("unit_ids", pa.list_(_TEXT), "every acceptable answer"),
    ]
)

METRICS = pa.schema(
    [
        _column("eval_set", _TEXT, "doc_test, judged_test …"),
        _column("system", _TEXT, "bm25, base, tuned, a stage or a baseline"),
        _column("mode", _TEXT, "lexical, semantic, hybrid …"),
        _column("alpha", pa.float64(), "weight of the semantic score in the fusion", nullable=True),
        _column("metric", _TEXT, "P@1, MRR, recall@5, recall@10 or nDCG@10"),
        _column("mean", pa.float64(), "mean over the queries"),
        _column("low", pa.float64(), "lower end of the 95 % bootstrap interval"),
        _column("high", pa.float64(), "upper end"),
        _column("queries", _INT, "number of queries"),
    ]
)

DIFFERENCES = pa.schema(
    [
        _column("eval_set", _TEXT, "doc_test, judged_test …"),
        _column("system", _TEXT, "system and mode"),
        _column("against", _TEXT, "what it is compared with"),
        _column("metric", _TEXT, "P@1, MRR, recall@5, recall@10 or nDCG@10"),
        _column("difference", pa.float64(), "mean of the query-by-query differences"),
        _column("low", pa.float64(), "lower end of the 95 % paired-bootstrap interval"),
        _column("high", pa.float64(), "upper end"),
        _column("p", pa.float64(), "randomization test of the differences, two-sided"),
        _column("q", pa.float64(), "the same, corrected for all rows of the table"),
    ]
)

SLICES = pa.schema(
    [
        _column("eval_set", _TEXT, "doc_test, judged_test …"),
        _column("slice", _TEXT, "what its queries have in common: dialect or style"),
        _column("value", _TEXT, "which: kani, verus …, or none; what, keywords …"),
        _column("system", _TEXT, "bm25, base, tuned, a stage or a baseline"),
        _column("mode", _TEXT, "lexical, semantic, hybrid …"),
        _column("metric", _TEXT, "P@1, MRR, recall@5, recall@10 or nDCG@10"),
        _column("mean", pa.float64(), "mean over the queries of the slice"),
        _column("low", pa.float64(), "lower end of the 95 % bootstrap interval"),
        _column("high", pa.float64(), "upper end"),
        _column("queries", _INT, "number of queries of the slice"),
    ]
)

RANKS = pa.schema(
    [
        _column("eval_set", _TEXT, "doc_test, judged_test …"),
        _column("system", _TEXT, "bm25, base, tuned, a stage or a baseline"),
        _column("mode", _TEXT, "lexical, semantic, hybrid …"),
        _column("query_id", _TEXT, "stable id of the query"),
        _column("query", _TEXT, "the text that was searched for"),
        _column("style", _TEXT, "doc, what, keywords, property or symptom"),
        _column("dialect", _TEXT, "kani, verus …, or null", nullable=True),
        _column("rank", _INT, "rank of the best acceptable answer, from 1"),
        _column("top", _TEXT, "unit that is ranked first; null where it is unknown", nullable=True),
        _column("gold", _TEXT, "the best acceptable answer, likewise", nullable=True),
    ]
)


def conform(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """`frame` as an Arrow table of exactly `schema`: its columns, order, types and nullability.

    Raises:
        ProvenderError: a column is missing or unknown, or a value breaks its type or nullability.
    """
    missing = [name for name in schema.names if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in schema.names]
    if missing or unknown:
        raise ProvenderError(
            f"columns missing: {missing}, unknown: {unknown}.",
            where="corpus.schema",
            remedy="Make the writer and its schema agree.",
        )
    holes = [
        field.name for field in schema if not field.nullable and frame[field.name].null_count()
    ]
    if holes:
        raise ProvenderError(
            f"columns hold nulls that may not: {holes}.",
            where="corpus.schema",
            remedy="Make the writer and its schema agree.",
        )
    try:
        return frame.select(schema.names).to_arrow().cast(schema)
    except pa.ArrowInvalid as error:
        raise ProvenderError(
            f"a value breaks its column's type: {error}.",
            where="corpus.schema",
            remedy="Make the writer and its schema agree.",
        ) from None


def empty(schema: pa.Schema) -> pl.DataFrame:
    """A frame of `schema` without rows."""
    frame = pl.from_arrow(schema.empty_table())
    assert isinstance(frame, pl.DataFrame)
    return frame
