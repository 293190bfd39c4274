import pytest

from corpus.pairs.proof.smtlib import infix


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("(> x (+ y 1))", "x > y + 1"),
        ("(=> (select mem addr) (not locked))", "select mem addr => not locked"),
        ("(! (< low high) :named ordered)", "low < high"),
        ("(= post-state #x0f)", "post_state = 0x0f"),
        ("(- high low)", "high - low"),
        ("|quoted name|", "quoted name"),
        (")(", ""),
        ("(a " * 40, ""),
    ],
)
def test_prefix_terms_are_read_infix(term: str, said: str) -> None:
    assert infix(term) == said
