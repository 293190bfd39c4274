"""Docs of every documentation tool rewritten as Markdown: sections and tags become headings.

Javadoc, JSDoc and Doxygen; docstrings as Google, NumPy and Sphinx have them; Lean's and TLA+'s own.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable

FENCE = re.compile(r"^[^\S\n]*(```|~~~).*?(^[^\S\n]*\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)

_BALANCED = r"\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}"


def as_markdown(doc: str, language: str) -> str:
    """`doc` as Markdown in which whatever is no description stands below a heading."""
    rewrite = _STYLES.get(language)
    return rewrite(doc) if rewrite else doc


# --- Docstrings -----------------------------------------------------------------------------------

_CALL = re.compile(r"\A[\w.]+\([^\n]*\)(?:[^\S\n]*->[^\n]*)?\n[^\S\n]*(?=\n)")
_DOCTEST = re.compile(r"^[^\S\n]*>>>?[^\S\n][^\n]*(?:\n[^\S\n]*\S[^\n]*)*", re.MULTILINE)
_INDENTED = r"(?:\n(?=\1[^\S\n]+\S|[^\S\n]*$)[^\n]*)*"
_DIRECTIVE = re.compile(r"^([^\S\n]*)\.\. [^\n]*" + _INDENTED, re.MULTILINE)
_LITERAL = re.compile(r"^([^\S\n]*)(\S[^\n]*)?::[^\S\n]*$" + _INDENTED, re.MULTILINE)
_UNDERLINED = re.compile(
    r"^[^\S\n]*(\S[^\n]*)\n[^\S\n]*([-=~^\"'*+#`.:_])\2{2,}[^\S\n]*$", re.MULTILINE
)
_SECTION = re.compile(
    r"""^[^\S\n]*(?:
        (Returns?|Yields?|Raises?):[^\S\n]+
      | ((?i:arg(?:ument)?s?|param(?:eter)?s?|(?:other|keyword)[ ](?:parameter|arg(?:ument)?)s?|attributes?
          |returns?|yields?|raises?|except(?:ion)?s?|throws|warns|examples?|usage|notes?|see[ ]also|todo
          |references?|warnings?|methods|inputs?|outputs?|shape|options|preconditions?|postconditions?
          |fields|keys|properties|side[ ]effects|call[ ]signatures?|test[ ]plan|tips?)
          |\w+[ ]\([^\n]*\)):{1,2}[^\S\n]*$
    )""",
    re.MULTILINE | re.VERBOSE,
)
_FIELD = re.compile(r"^[^\S\n]*[:@]([a-zA-Z]\w*)(?:[^\S\n]+([^:\n]{0,99}))?:(?=\s|$)", re.MULTILINE)
_RAISED = re.compile(
    r"^[^\S\n]*((?:\w+\.)*\w*(?:Error|Exception|Warning|Exit|Interrupt|Timeout))(?::(?=\s)|[^\S\n]*$)",
    re.MULTILINE,
)
_ROLE = re.compile(r"(?::[A-Za-z][\w+-]*){1,3}:`([^`]+)`")
_ROLE_TARGET = re.compile(r"^(.+?)\s*<[^<>]*>$", re.DOTALL)
_REST_LINK = re.compile(r"`([^`<]+?)\s*<[^`>]+>`__?")
_REST_ENDING = re.compile(r"(?<=`)__?(?!\w)|[^\S\n]?\[[\w#*]{1,20}\]_(?!\w)")
_TYPE = re.compile(
    r"^(?:(?:Optional|Union|Dict|List|Set|Tuple|Mapping|Sequence|Iterable|Iterator|Callable|Literal|Type"
    r"|dict|list|set|tuple|frozenset|type)\[[^\n:]*\]|Any|None|bool|bytes|dict|float|int|list|object"
    r"|set|str|tuple)(?:[ ]\|[ ]\w+)*:[ ]+(?=\S)"
)


def _docstring(doc: str) -> str:
    text = _CALL.sub("", _TYPE.sub("", _dedented(doc)))
    if ">> " in text:
        text = _DOCTEST.sub("\n\n", text)
    if ".. " in text:
        text = _DIRECTIVE.sub("\n\n", text)
    if "::" in text:
        text = _LITERAL.sub(r"\1\2:\n\n", text)
    if ":`" in text:
        text = _ROLE.sub(_role, text)
    if "`_" in text or "]_" in text:
        text = _REST_ENDING.sub("", _REST_LINK.sub(r"\1", text))
    if "\n" in text:
        text = _UNDERLINED.sub(r"\n# \1\n", text)
    if ":" in text:
        text = _SECTION.sub(lambda at: f"\n# {at[1] or at[2]}\n\n", text)
        text = _FIELD.sub(lambda at: f"\n# {at[1]}\n\n{at[2] + ':' if at[2] else ''}", text)
    return _RAISED.sub(r"\n\n\1:", text) if "aises" in text else text


def _dedented(doc: str) -> str:
    first, newline, rest = doc.strip().partition("\n")
    return first.strip() + newline + textwrap.dedent(rest)


def _role(role: re.Match[str]) -> str:
    titled = _ROLE_TARGET.match(role[1])
    text = titled[1] if titled else role[1].lstrip("!")
    return f"`{text.rpartition('.')[2] if text.startswith('~') else text}`"


# --- Tags: Javadoc, JSDoc, Doxygen ----------------------------------------------------------------

_PROSE_TAGS = frozenset(
    """
    apiNote attention brief classdesc desc description details implNote implSpec note par remark remarks
    short summary warning
    """.split()
)
"""Tags whose text describes."""

_LINE_TAGS = frozenset(
    """
    abstract addtogroup alpha async beta category class cond copydoc def defgroup enum experimental
    file fn function hideinitializer ingroup interface internal module name namespace nosubgrouping
    override package packageDocumentation private protected public readonly relates static struct
    template tparam typedef union var virtual
    """.split()
)
"""Tags that take no more than their line; what follows describes again."""

_INLINE_TAG = re.compile(r"\{@(\w+)\b\s*([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
_LINK_TARGET = re.compile(r"([^\s(|]+(?:\([^)]*\))?)\s*\|?\s*(.*)", re.DOTALL)
_BLOCK = re.compile(
    r"<(pre|table)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.DOTALL | re.IGNORECASE
)
_HTML_CODE = re.compile(r"<(code|tt)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_HTML_BREAK = re.compile(
    r"(?<!`)</?(?:p|br|li|[uod]l|d[td]|div|blockquote|hr|summary|remarks?|para)(?:\s[^>\n]*)?/?>",
    re.IGNORECASE,
)
_HTML_HEADING = re.compile(r"(?<!`)<h[1-6]\b[^>\n]*>", re.IGNORECASE)
_AT_TAG = re.compile(r"^[^\S\n]*@(\w+)(?=[\s{\[:.]|$)", re.MULTILINE)
_FRAME = re.compile(r"(?<=\S)[^\S\n]+\*+[^\S\n]*$", re.MULTILINE)
_LABEL = re.compile(r"^[^\S\n]*Remarks?:[^\S\n]*", re.MULTILINE)


def _javadoc(doc: str) -> str:
    text = FENCE.sub("\n\n", doc) if "```" in doc or "~~~" in doc else doc
    if "<" in text:
        text = _HTML_CODE.sub(r"`\2`", _BLOCK.sub("\n\n", text))
        text = _HTML_HEADING.sub("\n\n# ", _HTML_BREAK.sub("\n\n", text))
    if "{@" in text:
        text = _INLINE_TAG.sub(_inline, text)
    if " *\n" in text:
        text = _FRAME.sub("", text)
    if "Remark" in text:
        text = _LABEL.sub("\n\n", text)
    return _tagged(text, _AT_TAG) if "@" in text else text


def _inline(tag: re.Match[str]) -> str:
    name, text = tag[1], tag[2].strip()
    if name in ("inheritDoc", "inheritdoc", "snippet") or ";\n" in text:
        return ""
    if name.startswith("link") or name in ("see", "value"):
        target = _LINK_TARGET.match(text)
        text = (target[2] or target[1].replace("#", ".").lstrip(".")) if target else text
    return f"`{text}`" if text else ""


def _tagged(text: str, tag: re.Pattern[str]) -> str:
    """The description first, then a heading for each tag that says something else."""
    lead, *rest = tag.split(text)
    described, others = [lead], []
    for name, said in zip(rest[::2], rest[1::2], strict=True):
        if name in _PROSE_TAGS:
            described.append(said)
        elif name in _LINE_TAGS:
            described.append(said.partition("\n")[2])
        else:
            others.append(f"\n\n# {name}\n\n{said}")
    return "\n\n".join(described) + "".join(others)


_VERBATIM = re.compile(
    r"[@\\](code|verbatim|dot|msc|startuml|htmlonly|latexonly)\b.*?(?:[@\\](?:end\1|enduml)\b|\Z)"
    r"|\\nicebox\s*" + _BALANCED,
    re.DOTALL,
)
_FORMULA = re.compile(r"[@\\]f([$\[])(.*?)[@\\]f[$\]]", re.DOTALL)
_BRACED = re.compile(r"\\(?:ccode|mlonly|endmlonly|emph)\s*" + _BALANCED)
_WORD_COMMAND = re.compile(r"[@\\](?:c|p|a|e|em|b|ref)[^\S\n]+(\S+)(?:[^\S\n]+\"([^\"\n]*)\")?")
_ITEM_COMMAND = re.compile(r"^[^\S\n]*[@\\](?:li|arg)\s", re.MULTILINE)
_BARE_COMMAND = re.compile(r"[@\\](?:[{}]|n\b)|(?<!\S)[#%](?=[A-Za-z_])")
_API = re.compile(r"^[^\S\n]*(?:def|extra)_API\s*\(", re.MULTILINE)
_DOXYGEN_TAG = re.compile(r"^[^\S\n]*[@\\](\w+)(?=[\s{\[:.]|$)", re.MULTILINE)


def _doxygen(doc: str) -> str:
    text = doc
    if "\\" in text or "@" in text:
        text = _VERBATIM.sub("\n\n", text)
        text = _FORMULA.sub(r"\2", _BRACED.sub(r"`\1`", text))
        text = _WORD_COMMAND.sub(lambda at: at[2] or at[1], text)
        text = _ITEM_COMMAND.sub("- ", text)
    if ":`" in text:
        text = _ROLE.sub(_role, text)
    text = _javadoc(_BARE_COMMAND.sub("", _API.sub("\n# API\n\n", text)))
    return _tagged(text, _DOXYGEN_TAG) if "\\" in text else text


# --- Formulas in text: Lean, TLA+ -----------------------------------------------------------------

_MATH = re.compile(r"(?<![\w$\\`])(\$\$?)(?=[^\s$])([^$`]{1,300})(?<=\S)\1(?![\w$])")
_TLA_QUOTED = re.compile(r"`~[^`'~]*~'|`([.^])([^`']*)\1'|`{1,2}([^`']+)'{1,2}(?!\w)")


def _mathematical(doc: str) -> str:
    return _MATH.sub(r"\2", doc) if "$" in doc else doc


def _tla(doc: str) -> str:
    text = _TLA_QUOTED.sub(lambda at: at[2] or at[3] or "", doc) if "`" in doc else doc
    return _mathematical(text)


_STYLES: dict[str, Callable[[str], str]] = {
    "python": _docstring,
    "lean": _mathematical,
    "tlaplus": _tla,
    "cpp": _doxygen,
    **dict.fromkeys(["java", "javascript", "typescript", "php", "ruby"], _javadoc),
}
