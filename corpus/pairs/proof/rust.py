"""Queries for what Rust's verifiers check: Kani harnesses, and contracts of Verus, Prusti, Creusot, Kani.

Each query says a fact that the code shows: a bound, an expected panic, a stub, an assumption, an
assertion, a clause. A harness without any such fact says what it calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from corpus.pairs.proof.base import (
    Query,
    Unit,
    ask,
    clauses,
    place,
    said,
    subject,
    symbol_words,
    without_contract,
)
from corpus.pairs.proof.formula import written
from corpus.text import identifier_words

_MAX_SPECIFICATION = 220
_MIN_OWN_WORDS = 4
_LEMMAS = ("lemma_", "axiom_", "theorem_", "proof_")
_LAW = re.compile(r"#\[\s*(?:law\b|lemma\b|logic\(.*\blaw\b)")

_UNWIND = re.compile(r"#\[\s*kani::unwind\(\s*(\w+)\s*\)")
_STUB = re.compile(r"#\[\s*kani::stub\(\s*([\w:<>]+)\s*,\s*([\w:<>]+)")
_STUB_VERIFIED = re.compile(r"#\[\s*kani::stub_verified\(\s*([\w:<>]+)")
_FOR_CONTRACT = re.compile(r"#\[\s*kani::proof_for_contract\(\s*([\w:<>, ]+)")
_CALL = re.compile(r"\b(?:kani::)?(assume|cover|assert|assert_eq|assert_ne|debug_assert)!?\s*\(")
_ANY = re.compile(r"kani::any::<\s*([\w:]+)|:\s*([\w:]+)\s*=\s*kani::any\(")
_BITWISE = re.compile(r"(?<=[\w)\]])\s+([&|])\s+")
_SIGNS = {"&": " bitwise and ", "|": " or "}
_INVOKED = re.compile(r"(?:\b([A-Z]\w*)::|\.)([a-z_]\w*)\s*(?:::<[^()]*>)?\(")
_NOT_UNDER_TEST = frozenset(
    "any assume cover unwrap expect is_ok is_err is_some is_none into from clone new len iter try_into "
    "try_from as_ref as_mut any_where check proof eq ne assert default get any_array with_type cloned "
    "for_each arbitrary from_bytes next map with_generator".split()
)


def queries(unit: Unit) -> Iterator[Query]:
    """What a person might type who wants this harness, lemma or specified function."""
    if any("kani::proof" in each for each in unit["attributes"]):
        yield from _harness(unit)
    if unit["contracts"]:
        yield from _contract(unit)


def _harness(unit: Unit) -> Iterator[Query]:
    about = _about(unit)
    attributes, code = " ".join(unit["attributes"]), unit["code"]
    for name in _FOR_CONTRACT.findall(attributes)[:1]:
        phrases = ("check the contract of {} with kani", "kani proof for contract of {}")
        yield ask(unit, "property", "contract", phrases, symbol_words(name))
    if "kani::should_panic" in attributes:
        phrases = ("kani proof that {} panics", "prove that {} is expected to panic")
        yield ask(unit, "symptom", "panic", phrases, about)
    arguments = _arguments(code)
    # The last assertion is about what was done, those before it may be about what was given.
    for condition, message in [*arguments["assert"][-1:], *arguments["cover"][:1]]:
        held = message or next(iter(_said([condition])), "")
        if held:
            phrases = ("prove that {1} in {0}", "{0}: verify that {1}", "kani check {0} {1}")
            yield ask(unit, "property", held, phrases, about, held)
    for assumed in _said(condition for condition, _ in arguments["assume"])[:1]:
        phrases = ("prove {0} assuming {1}", "kani harness {0} for inputs where {1}")
        yield ask(unit, "property", "assume", phrases, about, assumed)
    for old, new in _STUB.findall(attributes)[:1]:
        replaced, by = symbol_words(old), symbol_words(new)
        yield Query("implementation", f"kani proof of {about} with {replaced} stubbed by {by}")
    for name in _STUB_VERIFIED.findall(attributes)[:1]:
        target = symbol_words(name)
        yield Query("implementation", f"verify {about} using the verified contract of {target}")
    yield _shape(unit, about, attributes)


def _said(formulas: Iterable[str]) -> list[str]:
    """The formulas in words; a reference and a binder have these signs, too, but no space on both sides."""
    return list(said([_BITWISE.sub(lambda sign: _SIGNS[sign[1]], each) for each in formulas]))


def _shape(unit: Unit, about: str, attributes: str) -> Query:
    """What can be said of every harness: its bound, its inputs, or that nothing in it can fail."""
    bound = _UNWIND.search(attributes)
    if bound and bound[1] != "0":
        phrases = (
            "bounded proof of {0} unwinding loops {1} times",
            "prove absence of panic in {0} unwind {1}",
            "kani loop bound {1} {0}",
        )
        return ask(unit, "keywords", "unwind", phrases, about, bound[1])
    types = [first or second for first, second in _ANY.findall(unit["code"])]
    if types:
        phrases = (
            "kani proof {0} for any {1}",
            "prove {0} never panics or overflows for arbitrary {1}",
            "model check {0} on symbolic {1}",
        )
        kind = " ".join(identifier_words(types[0]))
        return ask(unit, "keywords", "any", phrases, about, kind)
    phrases = ("kani proof {}", "bounded model checking harness {}", "prove {} does not panic")
    return ask(unit, "keywords", "shape", phrases, about)


def _about(unit: Unit) -> str:
    """What a harness is about: its own words, or what it calls where they say little."""
    words = subject(unit).split()
    if len(words) < 3:
        for owner, name in _INVOKED.findall(unit["code"]):
            if name not in _NOT_UNDER_TEST and owner != "Arbitrary":
                words += identifier_words(owner) + identifier_words(name)
                break
    # `i8 from` and `model with` lack what they are from or with: the file tells.
    if len(words) < 2 or words[-1] in ("from", "with", "to", "of", "by", "in"):
        words = [*place(unit).split(), *words]
    return " ".join(dict.fromkeys(words))


def _arguments(code: str) -> dict[str, list[tuple[str, str]]]:
    """The conditions and messages of a harness's assumptions, assertions and covers."""
    found: dict[str, list[tuple[str, str]]] = {"assume": [], "assert": [], "cover": []}
    for call in _CALL.finditer(code):
        before = code[: call.start()]
        # Within a branch or a closure, only what led there makes it true.
        is_nested = before.count("{") - before.count("}") > 1
        arguments = [] if is_nested else _split(code, call.end())
        if not arguments:
            continue
        name = call[1].removeprefix("debug_")
        message = next((each.strip('" ') for each in arguments if each.startswith('"')), "")
        condition = arguments[0]
        if name in ("assert_eq", "assert_ne") and len(arguments) > 1:
            operator = "==" if name == "assert_eq" else "!="
            condition = f"{arguments[0]} {operator} {arguments[1]}"
        if "{" in message or len(message.split()) < 3:
            message = ""
        found[name.split("_")[0]].append((condition, message))
    return found


def _split(code: str, start: int) -> list[str]:
    """The arguments of a call whose parenthesis opens before `start`; none where it never closes."""
    depth, begin, found = 0, start, []
    for mark in re.compile(r'"(?:\\.|[^"\\])*"|[()\[\]{},]').finditer(code, start, start + 2000):
        text = mark[0]
        if text in "([{":
            depth += 1
        elif text in ")]}":
            if depth == 0:
                return [each for each in (*found, code[begin : mark.start()].strip()) if each]
            depth -= 1
        elif text == "," and depth == 0:
            found.append(code[begin : mark.start()].strip())
            begin = mark.end()
    return []


def _contract(unit: Unit) -> Iterator[Query]:
    about = subject(unit)
    if len(about.split()) < 2:  # `step`, `new`: the file says of what
        about = " ".join(dict.fromkeys([*place(unit).split(), *about.split()]))
    if not about:
        return
    is_lemma = unit["kind"] == "proof_function" or unit["name"].startswith(_LEMMAS)
    is_lemma = is_lemma or any(map(_LAW.search, unit["attributes"]))
    requires = _said(clauses(unit, "requires", "recommends"))
    ensures = _said(clauses(unit, "ensures", "returns", "default_ensures"))
    yield from _ensured(unit, about, ensures, requires, is_lemma=is_lemma)
    if requires and not is_lemma:
        phrases = ("{0} requires {1}", "precondition of {0}: {1}", "{0} only when {1}")
        yield ask(unit, "property", "requires", phrases, about, requires[0])
    for measure in _said(clauses(unit, "decreases", "variant"))[:1]:
        phrases = ("prove that {0} terminates, decreasing {1}", "termination measure of {0}: {1}")
        yield ask(unit, "property", "decreases", phrases, about, measure)
    for invariant in _said(clauses(unit, "invariant", "loop_invariant"))[:1]:
        phrases = (
            "loop invariant {1} in {0}",
            "verify the invariant {1} holds while {0}",
            "{0} loop keeps {1}",
        )
        if unit["kind"] in ("struct", "enum", "union", "trait"):
            phrases = ("type invariant of {0}: {1}", "{0} always has {1}")
        yield ask(unit, "property", "invariant", phrases, about, invariant)
    yield from _specification(unit)


def _ensured(
    unit: Unit, about: str, ensures: list[str], requires: list[str], *, is_lemma: bool
) -> Iterator[Query]:
    if not ensures:
        return
    if is_lemma:
        phrases = ("prove that {1}", "lemma {0}: {1}", "prove {0}: {1}")
        given = f" given {requires[0]}" if requires and len(requires[0].split()) < 10 else ""
        yield ask(unit, "property", "lemma", phrases, about, ensures[0] + given)
        return
    phrases = (
        "{0} ensures {1}",
        "check postcondition of {0}: {1}",
        "verified {0} such that {1}",
        "function {0} guarantees {1}",
    )
    for formula in ensures[:2]:
        yield ask(unit, "property", formula, phrases, about, formula)


def _specification(unit: Unit) -> Iterator[Query]:
    """The contract as it is written -> the code without it."""
    requires = list(map(written, clauses(unit, "requires")))
    ensures = list(map(written, clauses(unit, "ensures", "returns")))
    if not ensures or unit["kind"] == "spec_function":
        return
    texts = [f"requires {', '.join(requires)}"] if requires else []
    text = " ".join([*texts, f"ensures {', '.join(ensures)}"])
    code = without_contract(unit)
    own = {word for formula in _said(ensures) for word in formula.split()}
    if code is None or len(own) < _MIN_OWN_WORDS or len(text) > _MAX_SPECIFICATION:
        return
    phrases = ("{}", "implement a function that satisfies: {}", "function with contract {}")
    if unit["kind"] == "proof_function":
        phrases = ("{}", "lemma with contract {}", "proof function that {}")
    yield replace(ask(unit, "specification", "specification", phrases, text), code=code)
