from corpus import schema
from corpus.pairs.base import Proposal, normal, to_pairs
from tests.corpus.frames import LONG_CODE, units


def test_normal_text_has_neither_case_nor_white_space() -> None:
    assert normal("  Straße\n\tOF  Ä ") == "strasse of ä"


def test_pair_holds_what_the_unit_knows() -> None:
    found = to_pairs(
        [Proposal("u1", "Adds two", "doc", "The rest.")],
        units({"dialect": "kani", "domain": "formal", "blob_sha": "b" * 40}),
        "doc",
    )

    assert schema.conform(found, schema.PAIRS).num_rows == 1
    row = found.row(0, named=True)
    assert row["query"] == "Adds two"
    assert row["positive"] == LONG_CODE
    assert (row["query_kind"], row["pair_type"], row["doc_rest"]) == ("doc", "doc", "The rest.")
    assert (row["dialect"], row["domain"]) == ("kani", "formal")
    assert row["file_context"] == "demo/src/lib.rs"
    assert row["swhid"] == f"swh:1:cnt:{'b' * 40};path=/src/lib.rs;lines=1-3"


def test_proposal_for_an_unknown_unit_makes_no_pair() -> None:
    assert to_pairs([Proposal("u9", "Adds two", "doc", "")], units({}), "doc").height == 0


def test_no_proposals_make_an_empty_table() -> None:
    found = to_pairs([], units({}), "doc")

    assert schema.conform(found, schema.PAIRS).num_rows == 0


def test_pairs_come_in_the_order_of_the_proposals() -> None:
    pool = units({"unit_id": "u1"}, {"unit_id": "u2"})
    proposals = [Proposal(unit, f"Query {unit}", "doc", "") for unit in ("u2", "u1", "u2")]

    assert to_pairs(proposals, pool, "doc")["unit_id"].to_list() == ["u2", "u1", "u2"]


def test_pair_id_does_not_depend_on_case_and_white_space() -> None:
    pool = units({"unit_id": "u1"}, {"unit_id": "u2", "code": LONG_CODE.replace("\n", "\n\t")})
    found = to_pairs(
        [Proposal("u1", "Adds two", "doc", ""), Proposal("u2", "adds  Two", "doc", "")],
        pool,
        "doc",
    )

    assert found["pair_id"].n_unique() == 1


def test_pair_id_depends_on_query_and_code() -> None:
    pool = units({"unit_id": "u1"}, {"unit_id": "u2", "code": "fn other() {}"})
    found = to_pairs(
        [
            Proposal("u1", "Adds two", "doc", ""),
            Proposal("u1", "Adds three", "doc", ""),
            Proposal("u2", "Adds two", "doc", ""),
        ],
        pool,
        "doc",
    )

    assert found["pair_id"].n_unique() == 3
