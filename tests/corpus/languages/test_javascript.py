from textwrap import dedent

import pytest

from corpus.languages.base import Definition
from corpus.languages.javascript import extract


def found(source: str) -> list[Definition]:
    return extract(dedent(source).encode()).definitions


def kinds(source: str) -> list[tuple[str, str]]:
    return [(each.kind, each.symbol) for each in found(source)]


def test_method_is_found_whole() -> None:
    source = """\
        class Till {
          #sum = 0;
          /** Adds a coin. */
          @log
          static async add(coin = 1) {
            return coin;
          }
        }
        """
    till, add = found(source)

    assert add == Definition(
        kind="method",
        symbol="Till.add",
        name="add",
        module="",
        signature="static async add(coin = 1)",
        doc="Adds a coin.",
        code="@log\nstatic async add(coin = 1) {\n  return coin;\n}",
        start_line=4,
        end_line=7,
        attributes=["@log"],
    )
    assert till.code == ("class Till {\n  #sum = 0;\n  @log\n  static async add(coin = 1) { … }\n}")


def test_empty_file_has_no_definitions() -> None:
    assert extract(b"").definitions == []


@pytest.mark.parametrize(
    ("item", "units"),
    [
        ("exports.f = function () {};", [("function", "f")]),
        ("module.exports.f = () => 1;", [("function", "f")]),
        ("module.exports = function f() {};", [("function", "f")]),
        ("module.exports = function () {};", [("function", "exports")]),
        ("module.exports = class A { m() {} };", [("class", "A"), ("method", "A.m")]),
        ("module.exports = { f() {}, g: () => 1, h: 2 };", [("function", "f"), ("function", "g")]),
        ("exports.A = class { m() {} };", [("class", "A"), ("method", "A.m")]),
        ("exports.f = exports.g = function () {};", [("function", "f")]),
        ("Till.prototype.add = function add() {};", [("method", "Till.add")]),
        ("Till.prototype = { add: function () {} };", [("method", "Till.add")]),
        ("Till.make = function () {};", [("method", "Till.make")]),
        ("shop.Till.make = function () {};", [("method", "shop.Till.make")]),
        ("window.make = function () {};", [("function", "make")]),
        ("this.make = function () {};", []),
        ("makers[0] = function () {};", []),
        ("(function () { function f() {} })();", [("function", "f")]),
        ("(function () { function f() {} }());", [("function", "f")]),
        ("(function f() {});", []),
        ("x => x;", []),
        ("var f = function () {}, g = () => 1, h = 2;", [("function", "f"), ("function", "g")]),
        (
            "class A { f = () => 1; g = 2; static h() {} }",
            [("class", "A"), ("method", "A.f"), ("method", "A.h")],
        ),
        ("const Till = () => <b>1</b>;", [("function", "Till")]),
    ],
)
def test_what_is_bound_to_a_name(item: str, units: list[tuple[str, str]]) -> None:
    assert kinds(item) == units


def test_assigned_method_keeps_its_doc() -> None:
    source = """\
        #!/usr/bin/env node
        /** Copyright 2020 Somebody. */
        "use strict";
        /**
         * Adds a coin.
         */
        Till.prototype.add = function (coin) {
          return coin;
        };
        """
    (add,) = found(source)

    assert (add.doc, add.signature) == ("Adds a coin.", "Till.prototype.add = function (coin)")
    assert add.code == "Till.prototype.add = function (coin) {\n  return coin;\n};"
    assert (add.start_line, add.end_line) == (7, 9)


def test_broken_file_gives_what_can_be_had() -> None:
    extraction = extract(b"function f() {}\n]] @@\nfunction g() {}\n")

    assert extraction.fault == "syntax_error"
    assert [each.symbol for each in extraction.definitions] == ["f", "g"]
