"""Formulas in words: `forall|i: int| 0 <= i < s.len() ==> s[i] >= 0` as a person would say or type it.

One reading for every verifier: their operators differ in spelling, hardly in meaning.
"""

from __future__ import annotations

import re

from corpus.text import identifier_words

MAX_WORDS = 22
"""A formula longer than this is nobody's query."""

_SPOKEN = {
    **dict.fromkeys(("==>", "=>", "→", "⟹", "⇒", "->"), "implies"),
    **dict.fromkeys(("<==>", "<=>", "<->", "↔", "⟺", "⇔", "\\equiv", "≡"), "if and only if"),
    **dict.fromkeys(("&&", "&&&", "∧", "/\\", "\\land"), "and"),
    **dict.fromkeys(("||", "|||", "∨", "\\/", "\\lor"), "or"),
    **dict.fromkeys(("!", "¬", "~", "\\lnot", "\\neg"), "not"),
    **dict.fromkeys(("==", "===", "=~=", "=", "≈", "≃", "≅", "=~~=", "^=="), "equals"),
    **dict.fromkeys(("!=", "!==", "≠", "#", "/=", "!~="), "is not"),
    **dict.fromkeys(("<=", "≤", "=<", "\\leq", "⊑", "≼"), "at most"),
    **dict.fromkeys((">=", "≥", "\\geq", "⊒", "≽"), "at least"),
    **dict.fromkeys(("<", "≺"), "less than"),
    **dict.fromkeys((">", "≻"), "greater than"),
    **dict.fromkeys(("∈", "\\in", "∋"), "in"),
    **dict.fromkeys(("∉", "\\notin"), "not in"),
    **dict.fromkeys(("⊆", "\\subseteq"), "subset of"),
    **dict.fromkeys(("⊂", "\\subset"), "strict subset of"),
    **dict.fromkeys(("∪", "\\cup", "\\union", "⊔"), "union"),
    **dict.fromkeys(("∩", "\\cap", "\\intersect", "⊓"), "intersection"),
    **dict.fromkeys(("∀", "\\A", "forall"), "for all"),
    **dict.fromkeys(("∃", "\\E", "exists", "∃!"), "for some"),
    **dict.fromkeys(("choose", "CHOOSE", "\\A\\A", "\\EE"), ""),
    **dict.fromkeys(("[]", "□"), "always"),
    **dict.fromkeys(("<>", "◇"), "eventually"),
    **dict.fromkeys(("~>", "↝"), "leads to"),
    **dict.fromkeys(("∅", "{}"), "empty set"),
    **dict.fromkeys(("|->", "↦"), "maps to"),
    **dict.fromkeys(("|-", "⊢", "⊨", "|=", "\\vdash"), "entails"),
    **dict.fromkeys(("+", "⊕"), "plus"),
    **dict.fromkeys(("*", "⊗", "×", "\\X", "\\times", "•"), "times"),
    **dict.fromkeys(("/", "÷", "\\div"), "divided by"),
    **dict.fromkeys(("%", "%%"), "modulo"),
    **dict.fromkeys(("++", "\\o", "\\circ", "<+>"), "append"),
    **dict.fromkeys(("<<", "≪"), "shifted left by"),
    **dict.fromkeys((">>", "≫"), "shifted right by"),
    **dict.fromkeys(("\\", "∖", "\\setminus"), "without"),
    "-": "minus",
    "∣": "divides",
    "⁻¹": "inverse",
    "**": "to the power of",
    "^": "xor",
    "∞": "infinity",
    "..": "to",
    "..=": "to",
    "ℕ": "natural number",
    "ℤ": "integer",
    "ℝ": "real",
}
_WORDS = {
    "len": "length",
    "ret": "result",
    "res": "result",
    "ens": "ensures",
    "idx": "index",
    "nat": "natural number",
    "inv": "invariant",
    "wf": "well formed",
    "spec": "",
    "view": "",
    "deep": "",
    "model": "",
    "old": "old",
    "as": "",
    "true": "true",
    "is": "is",
    "dom": "domain",
    "ptr": "pointer",
    "addr": "address",
    "subrange": "subrange",
    "unchanged": "unchanged",
    "domain": "domain",
    "union": "union",
    "subset": "subset of",
    "setminus": "without",
    "and": "and",
    "or": "or",
    "not": "not",
    "select": "element",
    "store": "with element",
    "bvult": "less than",
    "bvule": "at most",
    "bvugt": "greater than",
    "bvuge": "at least",
    "bvadd": "plus",
    "bvsub": "minus",
    "bvmul": "times",
    "distinct": "is not",
}
_TYPES = frozenset(
    "int nat i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize bool char str f32 f64 real Type Prop "
    "Sort".split()
)
# Binders lose the types of their variables: `forall|i: int, j: int|`, `∀ (x : α),`, `\A p \in P :`.
_RUST_BINDER = re.compile(r"\b(forall|exists|choose)\s*(?:\|([^|]*)\||<([^<>|]*)>)")
_QUALIFIED = re.compile(r"<([\w:]+)(?:<[^<>]*>)?\s+as\s[^<>=&|]*(?:<[^<>]*>)?>(?=::)")
_VIEW = re.compile(r"(?<=[\w)])@")
_TRIGGER = re.compile(r"#!?\[\s*(?:trigger|auto)\b[^\]]*\]")
_CAST = re.compile(r"\bas\s+(?:[iu](?:8|16|32|64|128|size)|int|nat|f32|f64|real)\b")
# In Creusot `^x` is the value that `x` will have, and `*x` the one that it has.
_PREFIXES = re.compile(r"(?:^|(?<=[(\[,=<>|!+{;])|(?<=&)(?!&))\s*([*^&]{1,4})(?=[\w(])")
_GENERICS = re.compile(r"::\s*<[^<>()]*(?:<[^<>()]*>[^<>()]*)*>")
# Programs in a formula's place, and operators that have no word: `<$>`, `>>=`, `<+~`, `|>`.
_NO_FORMULA = re.compile(
    r"λ|\b(?:fun|LAMBDA)\b|\bmatch\b|\b(?:with|then|let|do)\s*$|\b(?:let|if|do|fun)\b.*(?:\{|=>|;)|;|<[$*|&+~]|[$*|&]>|>>=|[|]>|<[|]|::[.]|\^#|\*\*[#+*]|\bdo\b"
)
_VARIABLE = re.compile(r"[^\W\d][\d₀-₉ₐ-ₜ]*")
_RESULT = re.compile(r"^\s*\|[^|]*\|\s*")
_TOKEN = re.compile(
    r"""(?P<quoted>"(?:\\.|[^"\\])*")
      | (?P<name>[^\W\d][\w'?]*(?:(?:::|\.)[^\W\d][\w'?]*)*!?(?=\W|$)|\\[A-Za-z]+)
      | (?P<number>\d\w*(?:\.\d\w*)?)
      | (?P<operator><==>|===|=~~=|=~=|!==|==>|<=>|<->|\.\.=|&&&|\|\|\||&&|\|\||==|!=|<=|>=|=>|->|=<|/=|~>|<>
          |\*\*|\[\]|\{\}|\|->|/\\|\\/|\+\+|<<|>>|\|-|\|=|\.\.|⁻¹|∃!|[^\s\w])""",
    re.VERBOSE,
)
_SILENT = frozenset("()[]{},;:.|@&?'`↑↓⟨⟩⌊⌋‖·")


def spoken(formula: str) -> str:
    """`formula` in words; empty where too little or too much of it can be said."""
    if _NO_FORMULA.search(formula):
        return ""
    words = _words(_plain(formula))
    return " ".join(words) if 2 <= len(words) <= MAX_WORDS and _says_something(words) else ""


def written(formula: str) -> str:
    """`formula` as it would be typed: without triggers, crate paths and the binder of its result."""
    text = _RESULT.sub("", _TRIGGER.sub("", formula)).replace("crate::", "")
    return " ".join(text.split()).removeprefix("{ ").removesuffix(" }")


def _plain(formula: str) -> str:
    text = _RESULT.sub("", _TRIGGER.sub(" ", formula)).replace("crate::", "")
    text = _VIEW.sub("", _CAST.sub(" ", _QUALIFIED.sub(r"\1", text)))
    text = _GENERICS.sub("", text)
    text = _PREFIXES.sub(lambda signs: " final " if "^" in signs[1] else " ", text)
    return _RUST_BINDER.sub(_bound, text)


def _bound(binder: re.Match[str]) -> str:
    return f"{binder[1]} {_variables(binder[2] or binder[3] or '')} , "


def _variables(binders: str) -> str:
    return " ".join(each.split(":")[0].strip() for each in binders.split(","))


def _words(text: str) -> list[str]:
    found: list[str] = []
    for token in _TOKEN.finditer(text):
        words = _said(token)
        if words is None:
            return []
        found += words
    if found[:1] in (["and"], ["or"]):  # TLA+ begins a list with its operator
        del found[0]
    # `a equals equals b` and `not not` come from operators that another one begins.
    return [word for index, word in enumerate(found) if not index or word != found[index - 1]]


def _said(token: re.Match[str]) -> list[str] | None:
    """The words of a token; null for a sign that has none, which may change the meaning of all."""
    text = token[0]
    if token["quoted"]:
        return [text.strip('"')] if len(text) > 2 else []
    if text in _SPOKEN:
        return _SPOKEN[text].split()
    if token["name"]:
        return _named(text)
    if token["number"]:
        return [re.sub(r"(?<=\d)(?:_|[iu](?:8|16|32|64|128|size)$|int$|nat$)", "", text)]
    return [] if text in _SILENT else None


def _named(name: str) -> list[str]:
    if name in _TYPES:
        return []
    own = identifier_words(name.removeprefix("self.").rstrip("!?").replace("'", " prime "))
    words = [said for word in own for said in _WORDS.get(word, word).split()]
    return words if words not in ([], ["prime"]) else own


_EMPTY = frozenset(
    "true false result equals is not at least most less greater than and or old implies for all some in of "
    "self other plus minus times divided by modulo to maps append xor prime for".split()
)
_MAX_VARIABLES = 0.4


def _says_something(words: list[str]) -> bool:
    """At least one word that only this formula has, and not mostly variables of one letter."""
    variables = sum(_VARIABLE.fullmatch(word) is not None for word in words)
    own = any(
        word[:1].isalpha() and word not in _EMPTY and not _VARIABLE.fullmatch(word)
        for word in words
    )
    return own and variables <= _MAX_VARIABLES * len(words)
