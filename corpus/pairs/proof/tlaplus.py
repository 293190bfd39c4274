"""Queries for TLA+: invariants, liveness, assumptions, refinement, actions and whole algorithms in words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.pairs.proof.base import Query, Unit, ask, clauses, pick, said
from corpus.text import identifier_words

_MEANINGLESS = frozenset("mc tla spec model apa proof module".split())
_SHORTEST = 3
_LIBRARY = frozenset(
    "Naturals Integers Reals Sequences FiniteSets Bags TLC TLAPS Functions Json ProtoReals".split()
)
_REFINED = re.compile(r"\bINSTANCE\s+(\w+)")
_PRIMED = re.compile(r"\b([A-Za-z_]\w*)'\s*=")
_CLAUSE = re.compile(r"^\s*(?:/\\|∧)\s*(.+)$", re.MULTILINE)


def queries(unit: Unit) -> Iterator[Query]:
    """What a person might type who wants this definition of a specification."""
    build = _BY_KIND.get(unit["kind"])
    if build is not None and len(_system(unit)) >= _SHORTEST:
        yield from build(unit)


def _system(unit: Unit) -> str:
    """The words of the module's name: what is specified."""
    words = identifier_words(unit["module"].rsplit("!", 1)[-1])
    return " ".join(word for word in words if word not in _MEANINGLESS)


def _words(unit: Unit) -> str:
    return " ".join(identifier_words(unit["symbol"]))


def _invariant(unit: Unit) -> Iterator[Query]:
    words, system = _words(unit), _system(unit)
    if words.replace(" ", "") in ("typeok", "typeinvariant", "typeinv", "tytypeok"):
        phrases = ("type invariant of {0}", "type correctness of {0} variables", "typeok {0}")
        yield ask(unit, "property", "type", phrases, system)
        return  # its clauses only say which set each variable is in
    phrases = (
        "invariant {1} of {0}",
        "{0} safety property {1}",
        "verify the invariant {1} in {0}",
    )
    if words in ("inv", "invariant"):
        phrases = ("invariant of {0}", "{0} inductive invariant", "what always holds in {0}")
    yield ask(unit, "property", "invariant", phrases, system, words)
    yield from _formulas(
        unit, "invariant", ("{0} invariant: {1}", "in {0} {1} holds in every state")
    )


def _temporal(unit: Unit) -> Iterator[Query]:
    words, system = _words(unit), _system(unit)
    if "[][" in unit["code"] and re.search(r"\bInit|\b[WS]F_", unit["code"]):
        yield from _spec(unit)
        return
    is_liveness = re.search(r"~>|<>|↝|◇|\bWF_|\bSF_", unit["code"]) is not None
    what = "liveness property" if is_liveness else "temporal property"
    phrases = ("{2} {1} of {0}", "{0} {2}: {1}", "check {1} {2} in {0}")
    yield ask(unit, "property", "temporal", phrases, system, words, what)
    yield from _formulas(unit, "property", ("{0}: {1}", "prove that {1} in {0}"))


def _theorem(unit: Unit) -> Iterator[Query]:
    yield from _formulas(unit, "prove", ("prove {1} for {0}", "{0} theorem: {1}"))
    words = _words(unit)
    if len(words.split()) >= 2:
        yield Query("property", f"{_system(unit)} {unit['kind']} {words}")


def _assumption(unit: Unit) -> Iterator[Query]:
    if "Print" in unit["code"] or "TLCSet" in unit["code"]:
        return  # a way to have TLC do something
    yield from _formulas(unit, "assume", ("{0} assumes {1}", "assumption on constants of {0}: {1}"))


def _formulas(unit: Unit, kind: str, phrases: tuple[str, ...]) -> Iterator[Query]:
    formulas = clauses(unit, kind)
    # A conjunction is too long to say, its first clauses are not.
    parts = [part for formula in formulas for part in (formula, *_conjuncts(formula))]
    # A name alone is not what it stands for.
    parts = [_plain(part) for part in parts if not re.fullmatch(r"[\w\s!]+", part)]
    for number, formula in enumerate(said(parts)):
        if number == 2:
            break
        yield ask(unit, "property", formula, phrases, _system(unit), formula)


def _plain(formula: str) -> str:
    """`formula` in the signs of other languages; empty where it has some that only TLA+ has."""
    if re.search(r"!\s*(?:<<|[@\d!:])|:>|@@", formula):
        return ""
    # Neither `M!Inv` nor `![p]` negates.
    text = re.sub(r"<<|>>|(?<=\w)!(?=\w)|!(?=[\[.])", " ", formula)
    return re.sub(r"(?<!\|)->", " to ", text).replace("^", "**")


def _conjuncts(formula: str) -> list[str]:
    return [each.strip() for each in re.split(r"/\\|∧", formula) if each.strip()][:6]


def _instance(unit: Unit) -> Iterator[Query]:
    refined = _REFINED.search(unit["code"])
    if refined:
        system, target = _system(unit), " ".join(identifier_words(refined[1]))
        if system != target and refined[1] not in _LIBRARY and "LOCAL" not in unit["code"]:
            phrases = (
                "{0} refines {1}",
                "refinement mapping from {0} to {1}",
            )
            yield ask(unit, "specification", "instance", phrases, system, target)


def _action(unit: Unit) -> Iterator[Query]:
    words, system = _words(unit), _system(unit)
    changed = list(dict.fromkeys(_PRIMED.findall(unit["code"])))[:3]
    named = " and ".join(" ".join(identifier_words(each)) for each in changed)
    phrases = ("{0} action {1}", "{1} step of {0}", "tla+ {0}: {1}")
    text = pick(unit, "action", phrases).format(system, words)
    if named:
        text += pick(unit, "changed", (" changes {}", " updates {}", " sets next {}")).format(named)
    yield Query("implementation", text)


def _next(unit: Unit) -> Iterator[Query]:
    words, system = _words(unit), _system(unit)
    parts = [
        " ".join(identifier_words(name))
        for name in dict.fromkeys(re.findall(r"\\/\s*(?:\\E[^:]*:\s*)?([A-Z]\w+)", unit["code"]))
    ][:4]
    also = f": {', '.join(parts)}" if parts else ""
    yield Query("implementation", f"next state relation of {system}{also}")
    if len(words.split()) >= 2:
        yield Query("keywords", f"{system} {words}")


def _init(unit: Unit) -> Iterator[Query]:
    system = _system(unit)
    if unit["symbol"] in ("CInit", "ConstInit"):
        return  # Apalache's values of the constants
    phrases = ("initial state of {0}", "init predicate {0}")
    yield ask(unit, "implementation", "init", phrases, system)
    assigned = [
        " ".join(identifier_words(each))
        for each in re.findall(r"/\\\s*([A-Za-z_]\w*)\s*(?:=|\\in)", unit["code"])
    ][:3]
    if assigned:
        yield Query(
            "implementation", f"{system} initial values of {', '.join(dict.fromkeys(assigned))}"
        )


def _spec(unit: Unit) -> Iterator[Query]:
    system, words = _system(unit), _words(unit)
    fair = " with weak fairness" if "WF_" in unit["code"] else ""
    fair = " with strong fairness" if "SF_" in unit["code"] else fair
    own = "" if words in ("spec", "specification") else f" {words}"
    yield Query("specification", f"temporal specification of {system}{own}{fair}")


def _algorithm(unit: Unit) -> Iterator[Query]:
    phrases = ("pluscal algorithm {}", "{} algorithm in pluscal", "model {} as a pluscal algorithm")
    words = " ".join(dict.fromkeys([*_words(unit).split(), *_system(unit).split()]))
    yield ask(unit, "implementation", "algorithm", phrases, words)


_BY_KIND = {
    "invariant": _invariant,
    "temporal": _temporal,
    "fairness": _temporal,
    **dict.fromkeys(("theorem", "lemma", "proposition", "corollary"), _theorem),
    "assumption": _assumption,
    "instance": _instance,
    "action": _action,
    "next": _next,
    "init": _init,
    "spec": _spec,
    "algorithm": _algorithm,
}
