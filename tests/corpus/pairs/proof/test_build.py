from corpus import schema
from corpus.pairs.proof import proof_pairs
from tests.corpus.frames import units

CONTRACT = [{"kind": "ensures", "text": "result.sorted()"}]
CODE = (
    "#[ensures(result.sorted())]\nfn sort_values() -> Values {\n    values.sort();\n    values\n}"
)


def specified(unit_id: str, name: str = "sort_values", **changes: object) -> dict[str, object]:
    return {
        "unit_id": unit_id,
        "symbol": name,
        "name": name,
        "dialect": "creusot",
        "contracts": CONTRACT,
        "attributes": ["#[ensures(result.sorted())]"],
        "code": CODE,
        "prose": "Sorts values.",
        **changes,
    }


def test_pairs_conform_and_keep_the_whole_doc() -> None:
    pairs = proof_pairs(units(specified("u")))

    assert schema.conform(pairs, schema.PAIRS).num_rows == pairs.height > 0
    assert set(pairs["pair_type"]) == {"proof"}
    assert set(pairs["doc_rest"]) == {"Sorts values."}


def test_plain_code_gives_none() -> None:
    assert proof_pairs(units({"unit_id": "u"})).height == 0


def test_contract_without_a_verifier_is_enough() -> None:
    assert proof_pairs(units(specified("u", dialect=None))).height > 0


def test_text_that_many_units_answer_is_nobodys() -> None:
    two = proof_pairs(units(*(specified(str(n)) for n in range(2))))
    three = proof_pairs(units(*(specified(str(n)) for n in range(3))))

    assert two.height > 0
    assert three.height == 0


def test_clause_that_many_units_have_is_nobodys() -> None:
    few, many = (
        proof_pairs(units(*(specified(str(n), f"sort_values{n}") for n in range(count))))
        for count in (10, 11)
    )

    assert "property" in set(few["query_kind"])
    assert "property" not in set(many["query_kind"])


def test_units_that_share_a_specification_differ_in_nothing_else() -> None:
    pairs = proof_pairs(units(*(specified(str(n), f"sort_values{n}") for n in "abc")))

    assert "specification" not in set(pairs["query_kind"])
    assert set(pairs["unit_id"]) == {"a", "b", "c"}
