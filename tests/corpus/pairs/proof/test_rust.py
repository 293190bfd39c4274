from corpus.languages.base import Definition
from corpus.languages.rust import extract
from corpus.pairs.proof.base import Query, Unit
from corpus.pairs.proof.rust import queries
from tests.corpus.pairs.proof.rows import row


def unit(source: str, **changes: object) -> Unit:
    (definition,) = [each for each in extract(source.encode()).definitions if has_facts(each)]
    return row(definition, **changes)


def has_facts(definition: Definition) -> bool:
    return bool(definition.contracts or definition.dialect)


def asked(source: str) -> list[str]:
    return [each.text for each in queries(unit(source))]


def of_kind(source: str, kind: str) -> list[Query]:
    return [each for each in queries(unit(source)) if each.kind == kind]


# Kani


def harness(body: str, *attributes: str) -> str:
    lines = "\n".join(f"#[{each}]" for each in ("kani::proof", *attributes))
    return f"{lines}\nfn check_ring_buffer_push() {{\n{body}\n}}\n"


def test_bound_of_a_harness_is_asked_for() -> None:
    (text,) = asked(harness("    push(1);", "kani::unwind(10)"))

    assert "10" in text
    assert "ring buffer push" in text
    assert "check" not in text


def test_expected_panic_is_a_symptom() -> None:
    (query,) = of_kind(harness("    push(1);", "kani::should_panic"), "symptom")

    assert query.text.endswith(("panics", "expected to panic"))


def test_stub_names_both_functions() -> None:
    (query,) = of_kind(
        harness("    go();", "kani::stub(rng::next_u64, fixed_seed)"), "implementation"
    )

    assert query.text == "kani proof of ring buffer push with next u64 stubbed by fixed seed"


def test_verified_stub_names_the_contract() -> None:
    source = harness("    go();", "kani::stub_verified(crate::epoch::Epoch::weekday)")
    (query,) = of_kind(source, "implementation")

    assert query.text == "verify ring buffer push using the verified contract of epoch weekday"


def test_proof_for_contract_names_its_function() -> None:
    source = "#[kani::proof_for_contract(crate::time::Span::add)]\nfn harness() {\n    go();\n}\n"

    assert "contract of span add" in asked(source)[0]


def test_assertions_are_said_with_their_message_or_their_condition() -> None:
    texts = asked(
        harness(
            "    let n: usize = kani::any();\n"
            "    kani::assume(capacity > length);\n"
            '    assert!(x, "the buffer never loses an item");\n'
            "    assert_eq!(buffer.len(), length + 1);"
        )
    )

    assert any("the buffer never loses an item" in text for text in texts)
    assert any("buffer length equals length plus 1" in text for text in texts)
    assert any("capacity greater than length" in text for text in texts)


def test_inputs_of_a_harness_are_named() -> None:
    (query,) = of_kind(harness("    let span: TimeSpan = kani::any();\n    go(span);"), "keywords")

    assert "time span" in query.text


def test_harness_whose_name_says_little_says_what_it_calls() -> None:
    (text,) = asked("#[kani::proof]\nfn check() {\n    Ring::push_back(1);\n}\n")

    assert "ring push back" in text


# Contracts

VERUS = """verus! {
fn insert_sorted(values: &mut Vec<u64>, value: u64)
    requires
        old(values).sorted(),
    ensures
        values.sorted(),
        values@.len() == old(values)@.len() + 1,
{
    values.push(value);
}
}
"""


def test_clauses_are_said_in_words() -> None:
    texts = [each.text for each in queries(unit(VERUS)) if each.kind == "property"]

    assert any("values length equals old values length plus 1" in text for text in texts)
    assert any("old values sorted" in text for text in texts)
    assert all("insert sorted" in text for text in texts)


def test_specification_asks_for_the_code_without_it() -> None:
    (query,) = of_kind(VERUS, "specification")

    written = "requires old(values).sorted() ensures values.sorted(), values@.len() == old(values)@.len() + 1"
    assert query.text.endswith(written)
    assert query.code == (
        "fn insert_sorted(values: &mut Vec<u64>, value: u64)\n{\n    values.push(value);\n}"
    )


def test_lemma_is_asked_to_be_proven() -> None:
    texts = asked(
        "verus! {\nproof fn lemma_double_is_even(n: nat)\n    ensures\n        is_even(double(n)),\n{\n}\n}\n"
    )

    assert any("is even double n" in text for text in texts)


def test_measure_says_why_it_terminates() -> None:
    texts = asked(
        "verus! {\nspec fn tree_height(node: Node) -> nat\n    decreases node.size(),\n{\n    1\n}\n}\n"
    )

    assert any("tree height" in text and "node size" in text for text in texts)


def test_contract_in_attributes_leaves_with_its_attributes() -> None:
    source = (
        "use creusot_std::prelude::*;\n\n"
        "#[requires(index@ < list.len())]\n#[ensures(list.get(index@) == Some(result))]\n#[inline]\n"
        "fn item_at(list: List, index: usize) -> u32 {\n    list.0[index]\n}\n"
    )
    (query,) = of_kind(source, "specification")

    assert (
        query.code
        == "#[inline]\nfn item_at(list: List, index: usize) -> u32 {\n    list.0[index]\n}"
    )


def test_loop_invariant_is_said_of_its_function() -> None:
    source = (
        "use creusot_std::prelude::*;\n\n"
        "#[ensures(result@ == values.sum())]\n"
        "fn sum_up(values: &[u32]) -> u32 {\n"
        "    #[invariant(total@ == produced.sum())]\n"
        "    for value in values {\n    }\n    total\n}\n"
    )

    assert any("total equals produced sum" in text for text in asked(source))
