"""Where the commands of a Lean 4 file begin and end.

Lean's grammar grows with every import, so only Lean can parse it. But a command begins a line, and
what ends it is the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

DECLARATIONS = frozenset(
    "theorem lemma def abbrev structure inductive coinductive class instance axiom opaque"
    " irreducible_def example".split()
)
NOTATIONS = frozenset(
    "macro syntax notation notation3 elab macro_rules elab_rules infix infixl infixr prefix postfix"
    " binder_predicate simproc dsimproc simproc_decl dsimproc_decl".split()
)
ACTIONS = frozenset("action procedure transition after_init method".split())
PROPERTIES = frozenset("safety invariant assumption".split())
UNITS = (
    DECLARATIONS
    | NOTATIONS
    | ACTIONS
    | PROPERTIES
    | {
        "class inductive",
        "class abbrev",
        "ghost relation",
    }
)
BLOCKS = frozenset(["namespace", "section", "mutual", "veil module", "end"])
_KEPT = UNITS | BLOCKS

_MODIFIERS = (
    "private protected public meta noncomputable computable unsafe partial nonrec local scoped"
).split()
_DIALECT_MODIFIERS = "trusted input output internal".split()
_OTHERS = frozenset(
    "namespace section mutual end open export set_option variable universe include omit attribute"
    " import module prelude initialize builtin_initialize deriving alias add_decl_doc run_cmd"
    " run_meta run_elab declare_syntax_cat register_option register_simp_attr"
    " register_builtin_option library_note grind_pattern compile_inductive deprecated_module"
    " theorem_wanted def_wanted instance_wanted proof_wanted unif_hint assert_not_exists"
    " assert_not_imported init_quot suppress_compilation unsuppress_compilation unseal seal"
    " recommended_spelling declare_aesop_rule_sets erase_aesop_rules add_aesop_rules"
    " initialize_simps_projections gen_injective_theorems show_panel_widgets declare_config_elab"
    " declare_command_config_elab declare_simp_like_tactic".split()
)
_CORE = DECLARATIONS | NOTATIONS | _OTHERS | frozenset(_MODIFIERS)
_DIALECT = (
    ACTIONS
    | PROPERTIES
    | frozenset(_DIALECT_MODIFIERS)
    | frozenset(
        "veil ghost relation function individual immutable mutable type instantiate unsat sat".split()
    )
)
_ALONE = (DECLARATIONS | NOTATIONS | _OTHERS) - {"class"}  # words that nothing else can follow
_DIALECT_IMPORT = re.compile(r"\n(?:veil module\b|import [\w.]*(?:Veil|Velvet|Loom)\b)")
# What may begin a line at the left margin in the middle of a command.
_CONTINUATIONS = frozenset(
    "termination_by decreasing_by where with by then else do from at in using fun match let have if"
    " show exact calc case all_goals any_goals and or extends if return for rw simp apply intro"
    " intros constructor require requires ensures".split()
)
_NEAR = 100  # characters; most of what is blank between two commands is shorter
_IMPORTS = 8000  # characters that hold a file's licence and imports
_STRAY_END = re.compile(r"\n(?<= end\n)")  # leaps from line to line
_NESTING = BLOCKS | {"open", "set_option"}
_PREFIXES = frozenset("open set_option variable include omit attribute universe".split())

_NESTED = r"[^\[\]]++|\[(?:[^\[\]]++|\[[^\[\]]*+\])*+\]"
ATTRIBUTE = re.compile(rf"@\[(?:{_NESTED})*+\]")
_MOST = 20  # attributes and modifiers before a keyword
_MODIFIER = rf"(?:{'|'.join(_MODIFIERS + _DIALECT_MODIFIERS)})\b(?:\[[^\]\n]*\])?"
_HEAD = re.compile(
    rf"(?:{ATTRIBUTE.pattern}\s*){{0,{_MOST}}}+"
    rf"((?:(?:{_MODIFIER}|{ATTRIBUTE.pattern})\s*){{0,{_MOST}}}+)"
    r"(class\s+(?:inductive|abbrev)\b|ghost\s+relation\b|veil\s+module\b|\#?\w+)"
)
_WORD = r"(@\[|\#\w+|[^\W\d][\w!?]*)"
_LINE = re.compile(rf"\n{_WORD}")
_INDENTED_LINE = re.compile(rf"\n[ \t]*{_WORD}")
_BEGINNING = rf"(?:@\[|(?:{'|'.join(sorted(_CORE))})\b)"
_NESTS = re.compile(rf"[^\n]*+\n(?:[ \t]*\n)*+[ \t]+{_BEGINNING}")
_IN = re.compile(rf"in(?<=\bin)[ \t]+(?={_BEGINNING})")


@dataclass(slots=True)  # cheaper to make and to read than a named tuple
class Command:
    """A command of the file.

    Attributes:
        word: the keyword that it is known by.
        head: where its first `set_option … in` or the like begins, else `start`.
        start: where its first attribute or modifier begins.
        signature: where it begins without attributes.
        after: the end of the keyword.
        end: the end of its last token, which the next command tells.
    """

    word: str
    head: int
    start: int
    signature: int
    after: int
    end: int = 0


def commands(code: str) -> list[Command]:
    """The commands of blanked code that declare something or open and close blocks, in order."""
    known = _CORE | _DIALECT if _DIALECT_IMPORT.search(code, 0, _IMPORTS) else _CORE
    found = list(_starts(code, known, _LINE.finditer(code)))
    if _STRAY_END.search(code) or _nest(code, found):
        found = list(_starts(code, known, _indented_lines(code, known)))
    kept: list[Command] = []
    limit = len(code)
    for command in reversed(found):
        if command.word in _KEPT:
            command.end = _end(code, command.after, limit)
            kept.append(command)
        limit = command.head
    kept.reverse()
    return kept


def _end(code: str, start: int, limit: int) -> int:
    """The end of the last token before `limit`, which is looked for near it before all is copied."""
    near = max(start, limit - _NEAR)
    end = near + len(code[near:limit].rstrip())
    return end if end > near else start + len(code[start:near].rstrip())


def _starts(code: str, known: frozenset[str], lines: Iterable[re.Match[str]]) -> Iterator[Command]:
    """Every command, without its end."""
    done = prefix = previous = 0
    for line in lines:
        position, word = line.start(1), line[1]
        if position < done:
            continue
        if word not in known and word[0] not in "@#":
            if word not in _CONTINUATIONS and _is_after_blank_line(code, position):
                prefix = 0
                yield Command(word, position, position, position, position + len(word))
            continue
        head = start = position
        if prefix and code[previous:position].rstrip().endswith((" in", "\nin")):
            head = prefix
        prefix, previous = 0, position
        if word in _PREFIXES or word[0] == "#":
            line_end = code.find("\n", position + 1)
            for skipped in _IN.finditer(code, position, line_end if line_end >= 0 else len(code)):
                start = skipped.end()
            # What stands before a # command is what it must print, and documents nothing.
            prefix, head = (0, start) if word[0] == "#" else (head, head)
        if word in _ALONE and start == position:
            done = line.end()
            yield Command(word, head, start, start, done)
        elif found := _HEAD.match(code, start):
            done = found.end()
            word = found[2] if found[2] in known else " ".join(found[2].split())
            yield Command(word, head, start, found.start(1), done)


def _nest(code: str, found: list[Command]) -> bool:
    """After one of these a command follows that is indented below it."""
    for command in found:
        word = command.word
        if (word in _NESTING or word[0] == "#") and _NESTS.match(code, command.after):
            return True
    return False


def _indented_lines(code: str, known: frozenset[str]) -> Iterator[re.Match[str]]:
    """The first words of lines that may begin a command in a file that indents those of its blocks.

    Deeper than the command before it is a command only if that one cannot have a body.
    """
    level = 0
    may_nest = True
    for line in _INDENTED_LINE.finditer(code):
        indent, word = line.start(1) - line.start() - 1, line[1]
        is_known = word in known or word[0] in "@#"
        if is_known and (indent <= level or may_nest or word == "end"):
            level = indent
            found = _HEAD.match(code, line.start(1))
            may_nest = found is not None and found[2] not in UNITS
        elif is_known or indent:
            continue
        yield line


def _is_after_blank_line(code: str, position: int) -> bool:
    line_end = position - 1
    return not code[code.rfind("\n", 0, line_end) + 1 : line_end].strip()
