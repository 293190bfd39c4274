import pytest

from corpus.markup.base import Link, Name, Section
from corpus.markup.restructuredtext import parse


def only(text: str) -> Section:
    (section,) = parse(text.encode())
    return section


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Uses ``a_b`` now", "Uses a_b now"),
        ("**bold** and *soft* 2 * 3 * 4", "bold and soft 2 * 3 * 4"),
        (":func:`~pkg.mod.scan` and :py:class:`Foo <a.Foo>`", "scan and Foo"),
        ("`text <https://example.org>`_ and `ref`_ and word_.", "text and ref and word."),
        ("a |logo| b [1]_ c", "a b c"),
        (":math:`x` of :unknown:`kept text`", "of kept text"),
        ("a\\ b \\*c", "ab *c"),
        ("snake_case_ name_of", "snake_case name_of"),
    ],
)
def test_inline(text: str, shown: str) -> None:
    assert only(text).paragraphs == (shown,)


def test_names_and_links_of_roles() -> None:
    section = only("``Foo.bar()`` :meth:`~a.B.c` :ref:`not-this` `the file <src/x.py>`_\n")

    assert section.names == (Name("Foo.bar", "prose", 0), Name("a.B.c", "prose", 0))
    assert section.links == (Link("src/x.py", "", 0),)


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [
        ("one\ntwo\n\nthree", ["one two", "three"]),
        ("- one\n  more\n- two\n\n1. three\n#. four", ["one more", "two", "three", "four"]),
        ("term\n    Its meaning.\n", ["term: Its meaning."]),
        (":param x: gone\n    and more\n:returns: gone\n\nkept", ["kept"]),
        ("text::\n\n    code_here()\n\nmore", ["text:", "more"]),
        (".. a comment\n   of two lines\n\nkept", ["kept"]),
        (".. _target:\n\nkept", ["kept"]),
        (".. [1] a footnote\n\nkept", ["kept"]),
        (".. |x| image:: y.png\n   :alt: z\n\nkept", ["kept"]),
        (".. image:: y.png\n   :alt: z\n\nkept", ["kept"]),
        (".. raw:: html\n\n   <b>no</b>\n\nkept", ["kept"]),
        (".. include:: /etc/passwd\n\nkept", ["kept"]),
        (".. csv-table:: T\n   :file: /etc/passwd\n\nkept", ["kept"]),
        (".. note:: Take\n   care.\n\n   And more.", ["Take care.", "And more."]),
        (".. warning::\n\n   Take care.", ["Take care."]),
        (".. unheard:: of\n   :opt: x\n\n   Its text.", ["Its text."]),
        ("+---+---+\n| a | b |\n+---+---+\n\nkept", ["kept"]),
        ("=== ===\na   b\n=== ===\nc   d\n\ne   f\n=== ===\n\nkept", ["kept"]),
        (">>> call_it(1)\n2\n\nkept", ["kept"]),
        ("| one\n| two", ["one", "two"]),
        ("----\n\nkept", ["kept"]),
    ],
)
def test_blocks(text: str, paragraphs: list[str]) -> None:
    assert [each for section in parse(text.encode()) for each in section.paragraphs] == paragraphs


def test_levels_follow_the_order_of_styles() -> None:
    text = "=====\nTitle\n=====\n\na\n\nSub\n===\n\nb\n\nDeep\n----\n\nc\n\nSub 2\n=====\n\nd\n"

    assert [
        (each.titles, each.level, each.start_line, each.end_line) for each in parse(text.encode())
    ] == [
        (("Title",), 1, 1, 6),
        (("Title", "Sub"), 2, 7, 11),
        (("Title", "Sub", "Deep"), 3, 12, 16),
        (("Title", "Sub 2"), 2, 17, 20),
    ]


def test_code_is_named_from_every_kind_of_block() -> None:
    section = only(
        "Do::\n\n    first_call()\n\n.. code-block:: python\n   :caption: x_y\n\n   second_call()\n\n"
        ".. code-block:: console\n\n   not_this()\n\n>>> third_call()\n\nend\n"
    )

    assert [each.name for each in section.names] == ["first_call", "second_call", "third_call"]


def test_objects_are_sections() -> None:
    text = """API
===

.. py:class:: Box(key)
              Box()
    :noindex:

    Holds things.

    .. method:: put(thing)

        Puts a thing.

    Again of the box.

.. c:function:: int add_one(int x)

    Adds one.

After.
"""

    found = [
        (each.titles, each.paragraphs, [name.name for name in each.names])
        for each in parse(text.encode())
    ]

    assert found == [
        (("API", "Box(key)"), ("Holds things.",), ["Box"]),
        (("API", "Box(key)", "put(thing)"), ("Puts a thing.",), ["Box.put"]),
        (("API", "Box(key)"), ("Again of the box.",), []),
        (("API", "int add_one(int x)"), ("Adds one.",), ["add_one"]),
        (("API",), ("After.",), []),
    ]
