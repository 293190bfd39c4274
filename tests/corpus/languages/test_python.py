import ast
import random
from textwrap import dedent

import pytest

from corpus.languages.base import SYNTAX, Contract, Definition
from corpus.languages.python import extract


def found(source: str) -> list[Definition]:
    return extract(dedent(source).encode()).definitions


def only(source: str) -> Definition:
    (definition,) = found(source)
    return definition


def symbols(source: str) -> list[str]:
    return [each.symbol for each in found(source)]


def doc(comment: str) -> str:
    return only(comment + "\ndef f():\n    return 1\n").doc


def contracts(source: str) -> list[tuple[str, str]]:
    return [(each.kind, each.text) for each in only(source).contracts]


def is_verbatim(definition: Definition, source: str) -> bool:
    """Each piece of the code occurs in the definition's lines, in order."""
    text, at = "\n".join(source.split("\n")[definition.start_line - 1 : definition.end_line]), 0
    for line in definition.code.split("\n"):
        for piece in line.split("…"):
            at = text.find(piece.strip(), at)
            if at < 0:
                return False
            at += len(piece.strip())
    return True


SAMPLE = '''\
"""About the module."""
import os

LIMIT: int = 3
"""How many."""


@register
@named("a",
       "b")
class Queue(Base[int], metaclass=Meta):
    """A queue.

        indented
    """

    size = 0  # of now

    # Puts an item
    # at the end.
    def put(self, item): self.items.append(item)

    async def get(
        self,
        default=None,  # if empty
    ) -> int:  # noqa
        # before
        """Takes an item."""

        text = """
left
"""
        return text

    class Full(Exception):
        """No place."""

        def show(self): "As text."; return repr(self)

    if os.name == "nt":
        def flush(self): return None

    # tail


def outer():
    def inner():
        pass
    class Local:
        pass
    return inner
'''


def test_function_is_found_whole() -> None:
    source = '''\
        import os


        @cache
        async def add(
            left: int,
            right: int = 0,
        ) -> int:
            """Adds.

            More.
            """
            # plainly
            return left + right
        '''

    assert only(source) == Definition(
        kind="function",
        symbol="add",
        name="add",
        module="",
        signature="async def add( left: int, right: int = 0, ) -> int",
        doc="Adds.\n\nMore.",
        code=dedent(
            """\
            @cache
            async def add(
                left: int,
                right: int = 0,
            ) -> int:
                # plainly
                return left + right"""
        ),
        start_line=4,
        end_line=14,
        attributes=["@cache"],
    )


def test_definitions_of_a_file_come_in_order() -> None:
    assert [(each.kind, each.symbol, each.start_line, each.end_line) for each in found(SAMPLE)] == [
        ("constant", "LIMIT", 4, 4),
        ("class", "Queue", 8, 43),
        ("method", "Queue.put", 21, 21),
        ("method", "Queue.get", 23, 33),
        ("class", "Queue.Full", 35, 38),
        ("method", "Queue.Full.show", 38, 38),
        ("method", "Queue.flush", 41, 41),
        ("function", "outer", 46, 51),
    ]


def test_code_is_verbatim() -> None:
    assert all(is_verbatim(each, SAMPLE) for each in found(SAMPLE))


def test_class_is_an_outline() -> None:
    queue = found(SAMPLE)[1]

    assert queue.signature == "class Queue(Base[int], metaclass=Meta)"
    assert queue.attributes == ["@register", '@named("a",\n       "b")']
    assert queue.code == dedent(
        """\
        @register
        @named("a",
               "b")
        class Queue(Base[int], metaclass=Meta):
            size = 0  # of now

            def put(self, item): …

            async def get(
                self,
                default=None,  # if empty
            ) -> int: …

            class Full(Exception): …

            if os.name == "nt":
                def flush(self): …

            # tail"""
    )


def test_docstring_is_cut_out_of_a_method_and_its_strings_stay() -> None:
    assert found(SAMPLE)[3].code == (
        "async def get(\n"
        "    self,\n"
        "    default=None,  # if empty\n"
        ") -> int:  # noqa\n"
        "    # before\n"
        '    text = """\n'
        "left\n"
        '"""\n'
        "    return text"
    )


def test_remarks_are_no_part_of_a_signature() -> None:
    assert found(SAMPLE)[3].signature == "async def get( self, default=None, ) -> int"


def test_mark_in_a_default_is_no_remark() -> None:
    source = "def f(a='#', b=\"it's #\"):  # c\n    g()\n"

    assert only(source).signature == "def f(a='#', b=\"it's #\")"


@pytest.mark.parametrize(
    "opening",
    [
        "if TYPE_CHECKING:",
        "if sys.version_info >= (3, 12):",
        "with suppress(ImportError):",
        "for each in names:",
        "while False:",
        "try:\n    pass\nexcept ImportError:",
        "try:\n    pass\nexcept* E:",
        "try:\n    pass\nfinally:",
        "if a:\n    pass\nelif b:",
        "if a:\n    pass\nelse:",
        "match a:\n  case 1:",
    ],
)
def test_definitions_in_blocks_are_found(opening: str) -> None:
    source = f"{opening}\n    def f():\n        g()\n    class A:\n        x = 1\n"

    assert symbols(source) == ["f", "A"]


def test_conditional_method_belongs_to_its_class() -> None:
    (_, method) = found("class A:\n    if x:\n        def m(self):\n            g()\n")

    assert (method.kind, method.symbol, method.code) == (
        "method",
        "A.m",
        "def m(self):\n    g()",
    )


DOCSTRINGS = [
    '"One."',
    "'One.'",
    '"""One."""',
    "'''One.'''",
    r'r"""One \d."""',
    'u"One."',
    'R"One."',
    r'"a \"quoted\" word"',
    '"""One\\\n    two."""',
    '"One " "two."',
    '("One "\n     "two.")',
    '"""  One.\n\n        Two.\n          Three.\n    """',
    r'"tab:\t\u2200"',
    r'"bad escape \d"',
    '""',
    '"""\n\n    One.\n\n    """',
    '"""∀ x ≤ y"""',
    '"One."; x = 1',
    '"One."  # noqa',
    'b"bytes"',
    'rb"bytes"',
    'f"formatted {x}"',
    '"a", "tuple"',
    '"a".join(b)',
    '"a" + b',
    "x",
]


@pytest.mark.filterwarnings("ignore:invalid escape")
@pytest.mark.parametrize("docstring", DOCSTRINGS)
def test_docstring_is_what_python_takes_for_one(docstring: str) -> None:
    source = f"def f():\n    {docstring}\n    return 1\n"
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.FunctionDef)
    expected = ast.get_docstring(node) or ""

    definition = only(source)
    assert definition.doc == expected
    assert is_verbatim(definition, source)
    if expected:
        rest = "    x = 1\n" if ";" in docstring else ""
        assert definition.code == f"def f():\n{rest}    return 1"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ('def f(): "One."\n', "def f():"),
        ('def f(): "One."  # why\n', "def f():"),
        ('def f(): "One."; g()\n', "def f():\n    g()"),
        ('def f():\n    """One."""\n', "def f():"),
        ('def f():\n    """One."""', "def f():"),
        ('def f():\n    """One."""\n    ...\n', "def f():\n    ..."),
        ('def f():\n    # why\n    """One."""\n\n    # how\n', "def f():\n    # why\n    # how"),
        ('class A:\n    """One."""\n', "class A:"),
    ],
)
def test_code_without_its_docstring(source: str, code: str) -> None:
    assert (only(source).doc, only(source).code) == ("One.", code)


def test_lone_surrogates_do_not_reach_the_doc() -> None:
    assert only('def f():\n    "bad \\ud800"\n    g()\n').doc.encode()


def test_comment_above_is_the_doc_of_what_has_none() -> None:
    assert doc("# Adds two\n#   numbers.\n#\n# Slowly.") == "Adds two\n  numbers.\n\nSlowly."


def test_comment_above_attaches_across_decorators() -> None:
    definition = only("# Adds.\n@cache\ndef f():\n    return 1\n")

    assert (definition.doc, definition.code) == ("Adds.", "@cache\ndef f():\n    return 1")


def test_docstring_goes_before_the_comment_above() -> None:
    assert only('# Above.\ndef f():\n    "Inside."\n    return 1\n').doc == "Inside."


@pytest.mark.parametrize(
    "comment",
    [
        "# Apart.\n",
        "x = 1  # behind",
        "    # further right",
        "# ---------------",
        "# ---- Helpers ----",
        "# -- Helpers --",
        "###############\n# Helpers\n###############",
        "# noqa: E501",
        "# type: ignore",
        "# pylint: disable=all",
        "#!/usr/bin/env python",
        "# TODO: write this",
        "# %% cell",
        "# old = f(x)",
        "# @cache\n# def f(x):\n#     return x",
        "# if x:\n#     g(x)",
        "# print(x)",
        "# Copyright 2020 Somebody",
        "# SPDX-License-Identifier: MIT",
        'x = """\n# inside"""',
        "#",
    ],
)
def test_comment_that_is_no_doc(comment: str) -> None:
    assert found(f"{comment}\ndef f():\n    return 1\n")[-1].doc == ""


def test_pragma_in_a_comment_is_left_out() -> None:
    assert doc("# Adds.\n# noqa: E501") == "Adds."


@pytest.mark.parametrize("body", ["...", "pass", "pass  # later", "...\n    # later"])
@pytest.mark.parametrize("header", ["def f():", "class A:"])
def test_stub_is_left_out(header: str, body: str) -> None:
    assert symbols(f"{header}\n    {body}\n{header} {body}\n") == []


def test_documented_stub_stays() -> None:
    assert only('def f():\n    """One."""\n    pass\n').code == "def f():\n    pass"
    assert only("# One.\ndef f(): ...\n").doc == "One."


def test_stub_stays_in_the_outline() -> None:
    source = "class A:\n    def f(self): ...\n    def g(self): return 1\n"

    assert found(source)[0].code == "class A:\n    def f(self): ...\n    def g(self): …"


@pytest.mark.parametrize("decorator", ["@overload", "@typing.overload", "@t.overload"])
def test_overload_is_left_out(decorator: str) -> None:
    assert symbols(f"# For one.\n{decorator}\ndef f(a: int) -> int: ...\n") == []
    assert symbols(f'{decorator}\ndef f(a: int) -> int:\n    "For one."\n') == ["f"]


def test_functions_of_functions_are_left_out() -> None:
    assert symbols("def f():\n    def g():\n        h()\n    class A:\n        x = 1\n") == ["f"]


@pytest.mark.parametrize(
    ("source", "text", "signature"),
    [
        ('X = 1\n"""One."""\n', "One.", "X"),
        ('X: int = 1\n\n"One."\n', "One.", "X: int"),
        ("#: One\n#: two.\nX = 1\n", "One\ntwo.", "X"),
        ("X = 1  #: One.\n", "One.", "X"),
        ("X = 1  #: One.", "One.", "X"),
    ],
)
def test_documented_constant_is_found(source: str, text: str, signature: str) -> None:
    constant = only(source)

    assert (constant.kind, constant.symbol, constant.doc) == ("constant", "X", text)
    assert constant.signature == signature
    assert constant.code == f"{signature} = 1"


@pytest.mark.parametrize(
    "source",
    [
        "# One.\nX = 1\n",
        'f(x)\n"""One."""\n',
        'X, Y = 1, 2\n"""One."""\n',
        'X = 1\n# why\n"""One."""\n',
        '"""One."""\n',
        "X = 1\nf'{x}'\n",
        "#: One.\n\nX = 1\n",
    ],
)
def test_no_documented_constant(source: str) -> None:
    assert symbols(source) == []


def test_constants_of_classes_stay_in_the_outline() -> None:
    source = 'class A:\n    X = 1\n    """One."""\n'

    assert only(source).code == source.rstrip()


@pytest.mark.parametrize(
    ("decorator", "kind", "text"),
    [
        ("@icontract.require(lambda x: x > 0)", "requires", "x > 0"),
        ("@icontract.require(lambda x: x > 0, 'positive')", "requires", "x > 0"),
        ("@icontract.ensure(\n    lambda result, x:\n        result > x)", "ensures", "result > x"),
        ("@icontract.require(is_positive)", "requires", "is_positive"),
        ("@icontract.invariant(lambda self: self.n >= 0)", "invariant", "self.n >= 0"),
        ("@deal.pre(lambda x: x > 0)", "requires", "x > 0"),
        ("@deal.post(lambda r: r > 0)", "ensures", "r > 0"),
        ("@deal.ensure(lambda x, result: x != result)", "ensures", "x != result"),
        ("@deal.inv(lambda self: self.ok)", "invariant", "self.ok"),
        ("@require(lambda x: x > 0)", "requires", "x > 0"),
        ("@require('x is positive', lambda args: args.x > 0)", "requires", "args.x > 0"),
        ("@requires('x > 0')", "requires", "x > 0"),
        ("@ensures(result >= 0)", "ensures", "result >= 0"),
    ],
)
def test_decorator_is_a_contract(decorator: str, kind: str, text: str) -> None:
    assert contracts(f"{decorator}\ndef f(x):\n    return x\n") == [(kind, text)]


@pytest.mark.parametrize(
    "decorator",
    [
        "@app.post('/a')",
        "@post('/a')",
        "@requires('network')",
        "@invariant()",
        "@icontract.require()",
        "@deal.pure",
        "@require",
        "@icontract.snapshot(lambda x: x[:])",
    ],
)
def test_decorator_is_no_contract(decorator: str) -> None:
    assert contracts(f"{decorator}\ndef f(x):\n    return x\n") == []


def test_contracts_of_a_class() -> None:
    source = "@icontract.invariant(lambda self: self.n > 0)\nclass A:\n    n = 1\n"

    assert contracts(source) == [("invariant", "self.n > 0")]


def test_contracts_of_nagini() -> None:
    source = """\
        from nagini_contracts.contracts import *

        def f(n: int) -> int:
            Requires(n > 0 and
                     Acc(n.x))
            Ensures(Result() >= n)
            Exsures(E, n == 1,)
            Decreases(n)
            total = 0
            while total < n:
                Invariant(total <= n)
                if total:
                    for i in range(n):
                        Invariant(i >= 0)
                total += 1
            Assert(total == n)
            return total
        """

    assert only(source).contracts == [
        Contract("requires", "n > 0 and Acc(n.x)"),
        Contract("ensures", "Result() >= n"),
        Contract("exsures", "E, n == 1"),
        Contract("decreases", "n"),
        Contract("invariant", "total <= n"),
        Contract("invariant", "i >= 0"),
    ]


def test_calls_in_a_file_without_nagini_are_no_contracts() -> None:
    assert contracts("def f(n):\n    Requires(n > 0)\n    return n\n") == []


def test_contracts_of_crosshair() -> None:
    source = """\
        def f(xs, n):
            '''Takes some.

            pre: n > 0
            post[xs]:
                len(_) == n
                all(x in xs for x in _)

            post: True
            '''
            return xs[:n]
        """

    assert contracts(source) == [
        ("requires", "n > 0"),
        ("ensures", "len(_) == n"),
        ("ensures", "all(x in xs for x in _)"),
        ("ensures", "True"),
    ]


@pytest.mark.parametrize(
    "line", ["post: the post to send", "pre: list", "post: 3", "inv:", "post: (((", "pre: 'text'"]
)
def test_line_of_a_docstring_is_no_contract(line: str) -> None:
    assert contracts(f'def f(post):\n    """Sends.\n\n    {line}\n    """\n    g()\n') == []


@pytest.mark.parametrize(
    "source",
    [
        "def test_f():\n    g()\n",
        "@pytest.fixture\ndef f():\n    g()\n",
        "@pytest.mark.slow\ndef f():\n    g()\n",
        "@given(st.integers())\ndef f(x):\n    g()\n",
        "@mock.patch('a.b')\ndef f(x):\n    g()\n",
        "class Cases(unittest.TestCase):\n    def helper(self):\n        g()\n",
        "class Cases(AsyncTestCase):\n    def testIt(self):\n        g()\n",
        "class TestQueue:\n    def test_put(self):\n        g()\n    def helper(self):\n        g()\n",
    ],
)
def test_tests_are_told(source: str) -> None:
    assert all(each.is_test for each in found(source))


@pytest.mark.parametrize(
    "source",
    [
        "def tester():\n    g()\n",
        "def latest_test_f():\n    g()\n",
        "@app.fixture\ndef f():\n    g()\n",
        "class TestClient:\n    def get(self):\n        g()\n",
        "class Queue:\n    def put(self):\n        g()\n",
    ],
)
def test_code_is_no_test(source: str) -> None:
    assert not any(each.is_test for each in found(source))


def test_stub_file_gives_what_is_documented() -> None:
    source = """\
        class Queue:
            size: int
            def put(self, item: int) -> None: ...
            def get(self) -> int:
                '''Takes an item.'''
        def f() -> int: ...
        """

    assert [(each.symbol, each.doc) for each in found(source)] == [
        ("Queue", ""),
        ("Queue.get", "Takes an item."),
    ]


def test_tabs_are_dedented() -> None:
    (_, method) = found("class A:\n\tdef f(self):\n\t\t'One.'\n\t\treturn 1\n")

    assert (method.doc, method.code) == ("One.", "def f(self):\n\treturn 1")


def test_carriage_returns_are_no_part_of_what_is_found() -> None:
    (definition,) = extract(b'def f():\r\n    """One.\r\n    two."""\r\n    g()\r\n').definitions

    assert (definition.doc, definition.code) == ("One.\ntwo.", "def f():\n    g()")
    assert (definition.start_line, definition.end_line) == (1, 4)


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    (definition,) = extract(b'def f():\n    return "caf\xe9"\n').definitions

    assert definition.code == 'def f():\n    return "caf\N{REPLACEMENT CHARACTER}"'


def test_fault_is_named_and_what_is_around_it_is_found() -> None:
    extraction = extract(b"def before():\n    g()\n\n)))\n\ndef after():\n    g()\n")

    assert extraction.fault == SYNTAX
    assert {each.symbol for each in extraction.definitions} >= {"before", "after"}


def test_whole_file_has_no_fault() -> None:
    assert extract(SAMPLE.encode()).fault is None


@pytest.mark.parametrize("source", [b"\xff\xfe\x00", b"def", b"class", b"((((", b"\x00", b"@\n"])
def test_bytes_that_are_no_python_give_nothing(source: bytes) -> None:
    assert extract(source).definitions == []


@pytest.mark.parametrize(
    "source",
    [
        "".join(f"{' ' * depth}class A:\n" for depth in range(400)),
        "".join(f"{' ' * depth}if x:\n" for depth in range(400)) + " " * 400 + "def f(): g()\n",
        "def f():\n    " + "(" * 5000 + '"x"' + ")" * 5000 + "\n",
        "def f():\n    '" + "\\x" * 5000 + "'\n",
        "# x\n" * 100_000 + "def f():\n    g()\n",
        "def f():\n    '''" + "\n" * 100_000 + "'''\n    g()\n",
    ],
)
def test_hostile_files_end(source: str) -> None:
    assert len(extract(source.encode()).definitions) <= 60


def test_damaged_files_give_verbatim_code_inside_the_file() -> None:
    chance = random.Random(5)
    for _ in range(300):
        start = chance.randrange(len(SAMPLE))
        end = start + chance.choice([0, 1, 30, len(SAMPLE)])
        source = SAMPLE[:start] + chance.choice(["", "\n", "(", '"""', "    "]) + SAMPLE[end:]
        for each in extract(source.encode()).definitions:
            assert 1 <= each.start_line <= each.end_line <= source.count("\n") + 1
            assert is_verbatim(each, source)
