import random
from textwrap import dedent

import pytest

from corpus.languages.base import Definition
from corpus.languages.typescript import extract


def found(source: str) -> list[Definition]:
    return extract(dedent(source).encode()).definitions


def only(source: str) -> Definition:
    (definition,) = found(source)
    return definition


def kinds(source: str) -> list[tuple[str, str]]:
    return [(each.kind, each.symbol) for each in found(source)]


def doc(comment: str, item: str = "function f() {}") -> str:
    return only(f"import a from 'a';\n{comment}\n{item}\n").doc


def test_function_is_found_whole() -> None:
    source = """\
        import { a } from "a";

        namespace shop {
          /**
           * Adds up the prices.
           *
           * @param prices - in cents
           */
          export async function total<T extends Price>(
            prices: T[], // in cents
          ): Promise<number> {
            return 0;
          }
        }
        """

    assert only(source) == Definition(
        kind="function",
        symbol="total",
        name="total",
        module="shop",
        signature="export async function total<T extends Price>( prices: T[], ): Promise<number>",
        doc="Adds up the prices.\n\n@param prices - in cents",
        code=dedent(
            """\
            export async function total<T extends Price>(
              prices: T[], // in cents
            ): Promise<number> {
              return 0;
            }"""
        ),
        start_line=9,
        end_line=13,
    )


def test_empty_file_has_no_definitions() -> None:
    assert extract(b"").definitions == []
    assert extract(b"").fault is None


@pytest.mark.parametrize(
    ("item", "kind", "symbol", "signature"),
    [
        ("function* f() {}", "function", "f", "function* f()"),
        ("export default function f() {}", "function", "f", "export default function f()"),
        ("export default function () {}", "function", "default", "export default function ()"),
        ("export default async () => { };", "function", "default", "export default async () =>"),
        (
            "export const f = <T>(a: T): T => a;",
            "function",
            "f",
            "export const f = <T>(a: T): T =>",
        ),
        ("let f = async function () {};", "function", "f", "let f = async function ()"),
        ("const f = ((a) => a) as Fn;", "function", "f", "const f = ((a) =>"),
        ("export default class {}", "class", "default", "export default class"),
        ("const A = class B extends C {};", "class", "A", "const A = class B extends C"),
        (
            "export abstract class A<T> extends B<T> {}",
            "class",
            "A",
            "export abstract class A<T> extends B<T>",
        ),
        ("declare class A {}", "class", "A", "declare class A"),
        ("interface A<T> extends B { x: T }", "interface", "A", "interface A<T> extends B"),
        ("export type A<T> = { x: T };", "type", "A", "export type A<T>"),
        ("const enum A { X = 1 }", "enum", "A", "const enum A"),
    ],
)
def test_kinds(item: str, kind: str, symbol: str, signature: str) -> None:
    unit = only(item)

    assert (unit.kind, unit.symbol, unit.signature) == (kind, symbol, signature)
    assert unit.code == item


def test_what_has_no_body_is_a_unit_if_documented() -> None:
    source = """\
        declare function plain(a: string): void;
        /** Told. */
        export declare function told(a: string): void;
        const ONE = 1;
        /** Two. */
        export const TWO = 2, THREE = 3;
        /** @type {number} */
        const FOUR = 4;
        /** A state. */
        let five = 5;
        /** Outside. */
        declare var six: number;
        const { seven } = six;
        """

    assert kinds(source) == [("function", "told"), ("constant", "TWO"), ("variable", "six")]
    assert found(source)[1].code == "TWO = 2"


def test_namespaces_are_the_module() -> None:
    source = """\
        namespace a.b { export namespace c { export function f() {} } }
        declare module "lib/x" { export class A {} }
        declare global { interface Window { x: 1 } }
        function g() {}
        """

    assert [(each.module, each.symbol) for each in found(source)] == [
        ("a.b.c", "f"),
        ("lib/x", "A"),
        ("global", "Window"),
        ("", "g"),
    ]


def test_class_is_an_outline_and_its_members_are_units() -> None:
    source = """\
        /** A till. */
        @Box({ size: 1 })
        export class Till extends Base {
          /** What is in it. */
          private sum = 0;
          static { start(); }

          /** Opens it. */
          constructor(private readonly key: Key) {
            super();
          }

          /** Rings. */
          @log()
          async *ring(): AsyncIterable<void> { yield; }
          /** Shuts it. */
          shut = async () => {
            lock();
          };
          twice = (x: number) => x * 2;
          get [Symbol.iterator]() { return this.sum; }
          #hide() {}
          abstract plain(): void;
          /** Told. */
          abstract told(): void;
        }
        """
    till, *members = found(source)

    assert (till.kind, till.symbol, till.doc) == ("class", "Till", "A till.")
    assert till.signature == "export class Till extends Base"
    assert till.attributes == ["@Box({ size: 1 })"]
    assert (till.start_line, till.end_line) == (2, 26)
    assert till.code == dedent(
        """\
        @Box({ size: 1 })
        export class Till extends Base {
          /** What is in it. */
          private sum = 0;
          static { … }

          constructor(private readonly key: Key) { … }

          @log()
          async *ring(): AsyncIterable<void> { … }
          shut = async () => { … };
          twice = (x: number) => …;
          get [Symbol.iterator]() { … }
          #hide() {}
          abstract plain(): void;
          abstract told(): void;
        }"""
    )
    assert [(each.kind, each.symbol, each.doc) for each in members] == [
        ("method", "Till.constructor", "Opens it."),
        ("method", "Till.ring", "Rings."),
        ("method", "Till.shut", "Shuts it."),
        ("method", "Till.twice", ""),
        ("method", "Till.[Symbol.iterator]", ""),
        ("method", "Till.#hide", ""),
        ("method", "Till.told", "Told."),
    ]
    ring, shut = members[1:3]
    assert ring.attributes == ["@log()"]
    assert ring.code == "@log()\nasync *ring(): AsyncIterable<void> { yield; }"
    assert ring.signature == "async *ring(): AsyncIterable<void>"
    assert shut.code == "shut = async () => {\n  lock();\n};"


def test_documented_methods_of_an_interface_are_units() -> None:
    source = """\
        export interface Till {
          /** The key. */
          key: string;
          /** Opens it. */
          open(how: string): void;
          shut(): void;
        }
        """
    till, opens = found(source)

    assert till.code == dedent(
        """\
        export interface Till {
          /** The key. */
          key: string;
          open(how: string): void;
          shut(): void;
        }"""
    )
    assert (opens.symbol, opens.doc, opens.code) == (
        "Till.open",
        "Opens it.",
        "open(how: string): void;",
    )


def test_overloads() -> None:
    source = """\
        /** Adds anything. */
        export function add(a: string): string;
        export function add(a: number): number;
        /** Adds the rest. */
        export function add(a: boolean): boolean;
        export function add(a: any): any { return a; }
        function other() {}
        class A {
          m(a: string): void;
          /** Given. */
          m(a: number): void;
          /** Own. */
          m(a: any) {}
        }
        """

    assert [(each.symbol, each.doc, each.end_line) for each in found(source)] == [
        ("add", "Adds the rest.", 5),
        ("add", "Adds anything.", 6),
        ("other", "", 7),
        ("A", "", 14),
        ("A.m", "Given.", 11),
        ("A.m", "Own.", 13),
    ]


def test_methods_of_an_object() -> None:
    source = """\
        /** All the handlers. */
        export const handlers = {
          /** Opens. */
          open(how: string) {
            return how;
          },
          shut: async () => {},
          "on-top": function () {},
          size: 5,
        } as const;
        const silent = { f() {} };
        """
    units = found(source)

    assert [(each.kind, each.symbol, each.doc) for each in units] == [
        ("constant", "handlers", "All the handlers."),
        ("method", "handlers.open", "Opens."),
        ("method", "handlers.shut", ""),
        ("method", "handlers.on-top", ""),
        ("method", "silent.f", ""),
    ]
    assert "open(how: string) { … }," in units[0].code
    assert "Opens" not in units[0].code


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("/** Adds. */", "Adds."),
        ("/**\n * Adds.\n *\n *   - one\n * @returns it\n */", "Adds.\n\n  - one\n@returns it"),
        ("/**\n  Adds.\n    more\n*/", "Adds.\n  more"),
        ("/** Adds. */\n// eslint-disable-next-line\n", "Adds."),
        ("/** Adds. */\n/* istanbul ignore next */", "Adds."),
        ("/** Old. */\n/** Adds. */", "Adds."),
        ("// Adds.", ""),
        ("/* Adds. */", ""),
        ("/*** Adds. ***/", ""),
        ("/**/", ""),
        ("/** */", ""),
        ("/** Adds. */\nimport b from 'b';", ""),
        ("/**\n * All of it.\n * @packageDocumentation\n */", ""),
        ("/** @module adding */", ""),
        ("/** @fileoverview Adding. */", ""),
        ("/** @typedef {object} Sum */", ""),
        ("/** Copyright 2020 Somebody */", ""),
        ("/**\n * @license\n * Whoever. SPDX-License-Identifier: MIT\n */", ""),
    ],
)
def test_doc(comment: str, expected: str) -> None:
    assert doc(comment) == expected


def test_doc_between_decorators_and_class() -> None:
    unit = only("@Box()\n/** A till. */\nexport class Till {}\n")

    assert (unit.doc, unit.code) == ("A till.", "@Box()\nexport class Till {}")
    assert unit.signature == "export class Till"


def test_elements_are_read_where_the_file_has_them() -> None:
    source = """\
        export const Till = ({ sum }: Props) => {
          return (
            <div>
              <b>{sum}</b>
            </div>
          );
        };
        """
    inline = "function f() { return <b className='x'>y</b>; }"
    cast = "const x = <T>(y);\nfunction f<T>(a: T) { return <T>a; }"

    assert kinds(source) == [("function", "Till")]
    for each in (dedent(source), inline, cast):
        assert extract(each.encode()).fault is None


def test_functions_in_functions_and_calls_of_tests_are_left_out() -> None:
    source = """\
        function outer() { function inner() {} const f = () => 1; class A { m() {} } }
        describe("x", () => { it("y", () => { function z() {} }); });
        (() => { function wrapped() {} })();
        """

    assert kinds(source) == [("function", "outer"), ("function", "wrapped")]


def test_broken_file_gives_what_can_be_had() -> None:
    extraction = extract(b"function f() {}\n@@ ]]\nfunction g() {}\n")

    assert extraction.fault == "syntax_error"
    assert [each.symbol for each in extraction.definitions] == ["f", "g"]


SAMPLE = dedent(
    """\
    /** Doc. */
    @Box() export class A<T> extends B {
      /** Doc. */
      m(a: string): void;
      m(a: any) { if (a) { return `${a}}`; } }
      f = () => <T>1;
    }
    namespace n { export const o = { g() { return 1; }, h: () => 2 }; }
    declare module "x" { function k(): void; }
    """
).encode()


def test_no_damage_raises_or_reaches_beyond_the_file() -> None:
    randomly = random.Random(7)
    for _ in range(400):
        broken = bytearray(SAMPLE)
        for _ in range(randomly.randint(1, 6)):
            at = randomly.randrange(len(broken))
            broken[at : at + randomly.randint(0, 9)] = randomly.choice(
                [b"", b"{", b"}", b"(", b"/**", b"`", b"@", b"\xff\xfe", b"class ", b"=>"]
            )
        source = bytes(broken)
        lines = source.decode(errors="replace").split("\n")
        for unit in extract(source).definitions:
            assert 1 <= unit.start_line <= unit.end_line <= len(lines)
            place = unit.start_line - 1
            for piece in unit.code.replace("…", "\n").split("\n"):
                while piece.strip() not in lines[place]:
                    place += 1
                    assert place < unit.end_line, (source, unit)


@pytest.mark.parametrize(
    "hostile",
    [
        b"{" * 100_000,
        b"class A { " * 20_000,
        b"namespace a { " * 20_000,
        b"(() => { " * 5_000,
        b"/**" * 50_000,
        b"/** a */ " * 30_000,
        b"/** a */ function f(): void; " * 5_000,
        b"@a " * 30_000,
        b"a = " * 30_000,
        b"a." * 50_000 + b"b = function () {};",
        b"/**" + b" " * 300_000 + b"x\n" + b" " * 300_000 + b"*/ function f() {}",
        bytes(range(256)) * 1000,
    ],
)
@pytest.mark.timeout(20)
def test_hostile_bytes_end_soon(hostile: bytes) -> None:
    extract(hostile)
