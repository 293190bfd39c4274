import time

import pytest

from corpus.prose import prose, sections


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        (
            "Adds.\n\n    Args:\n        x: one\n\n    Returns:\n        int: The sum.\n    ",
            ["Adds."],
        ),
        ("Adds.\n\n    Parameters\n    ----------\n    x : int\n        One.\n    ", ["Adds."]),
        ("Adds.\n\n:param x: one\n:returns: the sum", ["Adds."]),
        ("Adds.\n\n@param x: one", ["Adds."]),
        ("Adds.\n\n    >>> add(1, 2)\n    3\n\n    Always.", ["Adds.", "Always."]),
        ("Adds.\n\n>> add(1, 2)\n3", ["Adds."]),
        ("Adds ``a`` to :class:`~pkg.mod.Sum`.", ["Adds a to Sum."]),
        ("See :func:`the sum <pkg.add>` of `Wiki <https://x.org>`_.", ["See the sum of Wiki."]),
        ("Adds [1]_ once.\n\n.. [1] A book.", ["Adds once."]),
        ("Adds.\n\n.. note::\n    Slow.\n\n    Very.\n\nAfter.", ["Adds.", "After."]),
        ("Run it::\n\n    add 1 2\n\nAfter.", ["Run it:", "After."]),
        ("Takes *args and **kwargs, not __init__.", ["Takes *args and **kwargs, not __init__."]),
        ("Really *one* of list[int] in x[i][j].", ["Really one of list[int] in x[i][j]."]),
        ("add(x, y) -> int\n\nAdds two numbers.", ["Adds two numbers."]),
        ("List[str]: The names of it.", ["The names of it."]),
        ("Adds.\n\nExample::\n\n    add()\n", ["Adds."]),
        ("width (`int`):\n    How wide.", []),
    ],
)
def test_docstring(doc: str, expected: list[str]) -> None:
    assert prose(doc, "python") == expected


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ("Adds {@code a < b} to {@link Sum#of(int, int)}.", ["Adds a < b to Sum.of(int, int)."]),
        ("See {@link Sum#of the sum} or {@linkplain Sum}.", ["See the sum or Sum."]),
        ("Adds.\n@param x one\n@return the sum", ["Adds."]),
        ("{@inheritDoc}\n@throws Oops if it breaks", []),
        ("Adds.<p>Slowly,<br/>but &lt;b&gt; <b>well</b>.", ["Adds.", "Slowly,", "but <b> well."]),
        ("Adds.\n<pre>\nadd();\n@Override\n</pre>\nAfter.", ["Adds.", "After."]),
        ("Maps <code>List&lt;T&gt;</code> and List<T>.", ["Maps List<T> and List<T>."]),
        ("<ul><li>One\n<li>Two</ul>", ["One", "Two"]),
        ("*****\nAdds   *\nmore.   *\n*****\n", ["Adds more."]),
        ("Adds.\nRemarks: Slow.", ["Adds.", "Slow."]),
    ],
)
def test_javadoc(doc: str, expected: list[str]) -> None:
    assert prose(doc, "java") == expected


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ("@description Adds two.\n@example\nadd(1, 2)", ["Adds two."]),
        ("@param {number} x one\n@summary Adds two.", ["Adds two."]),
        ("@internal\nAdds two.", ["Adds two."]),
        ("Adds.\n\n@example\n```ts\n@Input() x\n```", ["Adds."]),
        ("Renders a `<div>` of {@link Sum | sums} by `@types/node`.",
         ["Renders a <div> of sums by @types/node."]),
        ("Adds _both_ **at\nonce**.", ["Adds both at once."]),
        ("@type {string}", []),
    ],
)  # fmt: skip
def test_jsdoc(doc: str, expected: list[str]) -> None:
    assert prose(doc, "typescript") == expected


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ("\\brief Adds \\c a and \\p b.\n\n\\param a one\n\\return the sum", ["Adds a and b."]),
        ("@brief Adds.\n\n@note Slow.", ["Adds.", "Slow."]),
        ("\\brief Asserts \\ccode{x < {y}}.\n\\sa Z3_y\n\ndef_API('Z3_x', VOID, ())", ["Asserts x < {y}."]),
        ("\\brief Adds.\n\n\\nicebox{\n  (a {b})\n}\n\ndef_API('x', INT)", ["Adds."]),
        ("Adds.\n\\code\n@x\nadd();\n\\endcode\nAfter.", ["Adds.", "After."]),
        ("\\class Sum\n\\ingroup maths\n\\brief A sum.", ["A sum."]),
        ("Bounded by \\f$x \\le y\\f$, see \\ref sum \"sums\".", ["Bounded by x \\le y, see sums."]),
        ("Is \\in or \\ell a tag?", ["Is \\in or \\ell a tag?"]),
        ("A std::vector<int> *x, *y.", ["A std::vector<int> *x, *y."]),
        ("@{", []),
    ],
)  # fmt: skip
def test_doxygen(doc: str, expected: list[str]) -> None:
    assert prose(doc, "cpp") == expected


@pytest.mark.parametrize(
    ("language", "doc", "expected"),
    [
        (
            "lean",
            "**Zero** is `0 ≤ x` for $x \\in S$.\n# Notes\nx",
            ["Zero is 0 ≤ x for x \\in S."],
        ),
        (
            "lean",
            "`⊢ a` is [DecidableEq α] and costs $5.",
            ["⊢ a is [DecidableEq α] and costs $5."],
        ),
        ("tlaplus", "The `.Init.' of `^Paxos^' is `~hidden~' $x'$.", ["The Init of Paxos is x'."]),
        ("tlaplus", "-----\nOne * two\n=====\n x_y /\\ y", ["One * two", "x_y /\\ y"]),
        ("smtlib", "x < 3 and y > 4\n;;;;", ["x < 3 and y > 4 ;;;;"]),
        ("go", "Adds two.\n\nSlowly.", ["Adds two.", "Slowly."]),
    ],
)
def test_text_with_formulas(language: str, doc: str, expected: list[str]) -> None:
    assert prose(doc, language) == expected


@pytest.mark.parametrize(
    ("language", "doc"),
    [
        ("python", "Returns:\n    int: The number of nodes."),
        ("python", "Returns: The number of nodes."),
        ("python", ":return: The number of nodes."),
        ("python", "Returns\n-------\nn : int\n    The number of nodes."),
        ("java", "@return The number of nodes."),
        ("javascript", "@returns {number} - The number of nodes."),
        ("cpp", "\\return The number of nodes."),
    ],
)
def test_what_comes_back_stands_in_for_a_description(language: str, doc: str) -> None:
    assert prose(doc, language) == ["The number of nodes."]


def test_a_bare_type_is_no_description() -> None:
    assert prose("@return a boolean", "java") == []


def test_rust_has_no_tags() -> None:
    assert prose("Adds.\n@return it\n@param x") == ["Adds. @return it @param x"]


def test_sections_are_named_by_heading_or_tag() -> None:
    assert sections("Adds.\n# Panics\nNever.") == [("panics", ["Never."])]
    assert sections("Adds.\n:raises KeyError: if so", "python") == [("raises", ["KeyError: if so"])]
    assert sections("Adds.\n@throws Oops if so", "java") == [("throws", ["Oops if so"])]


@pytest.mark.parametrize("language", ["rust", "python", "java", "cpp", "lean", "tlaplus", "smtlib"])
@pytest.mark.parametrize(
    "piece",
    ["\n", "`", "``` ", "*a *", "_a _", "<a", "<code>", "{@x {", "\\nicebox{{}", "::", "[a](", "$a ",
     ":a b", ".. ", "`.", "# \n", "   \n", ">>> \n", "@a\n", "A.b "],
)  # fmt: skip
def test_hostile_doc_takes_no_time(language: str, piece: str) -> None:
    start = time.process_time()

    prose(piece * (1_000_000 // len(piece)), language)

    assert time.process_time() - start < 3


def test_field_list_for_sphinx_ends_the_prose_of_rust() -> None:
    doc = "Adds a span.\n\n:type span: Span\n:rtype: Epoch"

    assert prose(doc) == ["Adds a span."]
