import pytest

from corpus.bodies import lack


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("rust", "fn f(&self) -> u8 {\n    todo!()\n}"),
        ("rust", 'pub fn f() {\n    // Later.\n    unimplemented!("not {}", 1);\n}'),
        ("rust", "#[inline]\nfn visit(&mut self, _: &Node) {}"),
        ("rust", 'fn f() { panic!("this is not implemented yet") }'),
        ("python", "def f(self):\n    raise NotImplementedError('later')"),
        ("python", "@abstractmethod\ndef f(self, x=(1, 2)) -> int: ..."),
        ("python", "async def f():\n    pass  # yet"),
        ("python", "def only_a_docstring(self) -> int:"),
        ("java", "@Override\npublic void f() {\n    throw new UnsupportedOperationException();\n}"),
        ("java", "public Point() {\n    // TODO Auto-generated constructor stub\n}"),
        ("typescript", 'f(): void {\n  throw new Error("Method not implemented.");\n}'),
        ("cpp", "virtual void pop(int n) {}"),
        ("cpp", "int f() { NOT_IMPLEMENTED_YET(); return 0; }"),
        ("lean", "theorem a : 1 = 1 := by\n  sorry"),
        ("lean", "def f : Nat := sorry\n"),
    ],
)
def test_stub(language: str, code: str) -> None:
    assert lack(code, language) == "stub"


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("rust", "fn len(&self) -> usize {\n    self.0.len()\n}"),
        (
            "rust",
            "async fn get(&self, key: &str) -> Result<u8> { self.inner.get(key, &self.x).await? }",
        ),
        ("rust", "fn fmt(&self, f: &mut Formatter) -> Result { fmt::Display::fmt(&self.0, f) }"),
        ("rust", "fn py_norm(&self) -> f64 { self.norm() }"),
        ("rust", "pub fn walk(&self) {\n    walk_inner(self); // once\n}"),
        ("python", "def close(self, *args, **kwargs):\n    return super().close(*args, **kwargs)"),
        ("python", "def run(self, x):\n    return self.app.run(x, depth=depth)"),
        ("java", "public int size() {\n    return items.size();\n}"),
        (
            "typescript",
            "async close() {\n  return await this.#transport.close();\n}".replace("#", ""),
        ),
        ("cpp", "bool ok() const { return status_->ok(); }"),
        ("cpp", "void set(T x) { base::set(std::move(x)); }"),
    ],
)
def test_delegation_to_a_namesake(language: str, code: str) -> None:
    assert lack(code, language) == "namesake"


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("rust", "fn rest(&self) -> &str { self.chars.as_str() }"),
        ("python", "def is_sort(s):\n    return isinstance(s, Sort)"),
        ("java", "public Goal then(Goal a, Goal b) { return andThen(a, b); }"),
    ],
)
def test_delegation_to_another(language: str, code: str) -> None:
    assert lack(code, language) == "other"


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("rust", "fn name(&self) -> &str { &self.name }"),
        ("rust", "fn new(x: u8) -> Self { Self(x) }"),
        ("rust", "fn f() -> Self { Self::with_capacity(0) }"),
        ("rust", "fn f(&self) { self.g(true) }"),
        ("rust", "fn f(&self) -> usize { self.g().len() }"),
        ("rust", "fn f(&self) { self.f(); self.g(); }"),
        ("rust", "fn f(x: u8) { f(x + y) }"),
        ("rust", "struct Unit {}"),
        ("rust", "pub trait Shape {\n    fn area(&self) -> f64;\n}"),
        ("rust", "impl Shape for X {\n    fn area(&self) -> f64 { … }\n}"),
        ("java", "interface Marker {}"),
        ("java", "int size();"),
        ("java", "public enum Empty {\n}"),
        ("typescript", "constructor(private readonly x: number) {}"),
        ("cpp", "Point(int x) : x_(x) {}"),
        ("cpp", "unsigned size() const;"),
        ("cpp", "~Point() = default;"),
        ("cpp", "struct Empty {};"),
        ("python", "class Oops(Exception):\n    pass"),
        ("python", "class Shape:\n    def area(self): …"),
        ("python", "def f(x):\n    return x"),
        ("lean", "theorem a : 1 = 1 := rfl"),
        ("lean", "theorem a : 1 = 1 := by exact add_comm a b"),
        ("lean", "theorem sorry_free : True := trivial -- no sorry"),
        ("tlaplus", "Init == x = 0"),
        ("smtlib", "(assert (f x))"),
    ],
)
def test_what_holds_something_lacks_nothing(language: str, code: str) -> None:
    assert lack(code, language) is None


@pytest.mark.parametrize("language", ["rust", "python", "java", "cpp", "typescript"])
@pytest.mark.parametrize(
    "code", ["", "{", "}", "fn f(", "def f(", "((((", "}{", "fn f() {" + "(" * 599]
)
def test_broken_code_lacks_nothing(language: str, code: str) -> None:
    assert lack(code, language) is None
