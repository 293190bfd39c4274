import pytest

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
    message = asked(harness('    assert!(x, "the buffer never loses an item");'))
    condition = asked(harness("    assert_eq!(buffer.len(), length + 1);"))

    assert "the buffer never loses an item" in message[0]
    assert "buffer length equals length plus 1" in condition[0]


def test_last_of_several_assertions_is_said() -> None:
    texts = asked(
        harness("    assert!(given.is_sorted());\n    push(1);\n    assert!(buffer.is_full());")
    )

    assert "buffer is full" in texts[0]
    assert not any("given" in text for text in texts)


@pytest.mark.parametrize("branch", ["if done {{ {} }}", "match x {{ _ => {{ {} }} }}"])
def test_assertion_in_a_branch_is_not_said(branch: str) -> None:
    nested = branch.format("assert!(buffer.is_full());")
    texts = asked(harness(f"    assert!(buffer.is_valid());\n    {nested}"))

    assert "buffer is valid" in texts[0]
    assert not any("full" in text for text in texts)


def test_first_assumption_is_said() -> None:
    texts = asked(
        harness("    kani::assume(capacity > length);\n    kani::assume(length > count);")
    )

    assert "capacity greater than length" in texts[0]
    assert not any("count" in text for text in texts)


def test_cover_is_said() -> None:
    texts = asked(harness('    kani::cover!(full, "the buffer can be full");'))

    assert "the buffer can be full" in texts[0]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("mask ^ other == total", "mask xor other equals total"),
        ("flags & mask == total", "flags bitwise and mask equals total"),
        ("flags | mask == total", "flags or mask equals total"),
    ],
)
def test_operators_on_bits_are_said(condition: str, words: str) -> None:
    assert words in asked(harness(f"    assert!({condition});"))[0]


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


def test_subject_of_one_word_says_its_file() -> None:
    source = "verus! {\nfn step(x: u64) -> (r: u64)\n    ensures valid(total),\n{\n    x\n}\n}\n"
    texts = [each.text for each in queries(unit(source, path="src/lexer_loop.rs"))]

    assert any("lexer loop step" in text and "valid total" in text for text in texts)


def test_specification_asks_for_the_code_without_it() -> None:
    (query,) = of_kind(VERUS, "specification")
    written = "requires old(values).sorted() ensures values.sorted(), values@.len() == old(values)@.len() + 1"

    assert query.text in (
        written,
        f"implement a function that satisfies: {written}",
        f"function with contract {written}",
    )
    assert query.code == (
        "fn insert_sorted(values: &mut Vec<u64>, value: u64)\n{\n    values.push(value);\n}"
    )


def test_lemma_is_asked_to_be_proven() -> None:
    texts = asked(
        "verus! {\nproof fn lemma_double_is_even(n: nat)\n    ensures\n        is_even(double(n)),\n{\n}\n}\n"
    )

    assert any("is even double n" in text for text in texts)


LEMMA = """verus! {
proof fn lemma_sum_is_bounded(values: Seq<nat>, i: nat)
    requires
        i < values.len(),
    ensures
        values[i] <= sum(values),
    decreases i,
{
    if i > 0 {
        lemma_sum_is_bounded(values, (i - 1) as nat);
    }
}
}
"""


def test_specification_of_a_lemma_asks_for_a_lemma() -> None:
    (query,) = of_kind(LEMMA, "specification")
    written = "requires i < values.len() ensures values[i] <= sum(values)"

    assert query.text in (
        written,
        f"lemma with contract {written}",
        f"proof function that {written}",
    )


def test_clause_leaves_whole_words_after_the_header_only() -> None:
    (query,) = of_kind(LEMMA, "specification")

    assert query.code == (
        "proof fn lemma_sum_is_bounded(values: Seq<nat>, i: nat)\n"
        "{\n"
        "    if i > 0 {\n"
        "        lemma_sum_is_bounded(values, (i - 1) as nat);\n"
        "    }\n"
        "}"
    )


SORT = (
    "#[ensures(result.is_sorted_and_whole())]\nfn sort(values: Values) -> Values {\n    values\n}"
)
SORTED = {"kind": "ensures", "text": "result.is_sorted_and_whole()"}


def kinds(**changes: object) -> set[str]:
    plain = unit(
        "verus! {\nfn sort(v: Values) -> (r: Values)\n    ensures r.ok(),\n{\n    v\n}\n}\n"
    )
    return {each.kind for each in queries({**plain, **changes})}


def test_unit_whose_contract_is_in_its_code_gives_a_specification() -> None:
    attributes = ["#[ensures(result.is_sorted_and_whole())]"]

    assert kinds(code=SORT, contracts=[SORTED], attributes=attributes) == {
        "property",
        "specification",
    }


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("fn sort(v: Values) -> Values {\n    v\n}", id="nowhere"),
        pytest.param(
            "fn sort(v: Values) -> Values\n    ensures other(v),\n{\n    v\n}", id="another's"
        ),
    ],
)
def test_unit_whose_contract_is_not_found_gives_no_specification(code: str) -> None:
    assert kinds(code=code, contracts=[SORTED], attributes=[]) == {"property"}


def test_specification_function_gives_no_specification() -> None:
    assert kinds(contracts=[SORTED], kind="spec_function") == {"property"}


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
