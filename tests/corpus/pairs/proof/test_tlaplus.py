import pytest

from corpus.languages.tlaplus import extract
from corpus.pairs.proof.base import Query
from corpus.pairs.proof.tlaplus import queries
from tests.corpus.pairs.proof.rows import row

HEAD = (
    "---- MODULE TwoPhaseCommit ----\nEXTENDS Naturals\nCONSTANT Server\nVARIABLES state, inbox\n"
)


def asked(body: str, symbol: str) -> list[Query]:
    found = extract(f"{HEAD}{body}\n====\n".encode()).definitions
    (definition,) = [each for each in found if each.symbol == symbol]
    return list(queries(row(definition, language="tlaplus", path="specs/TwoPhaseCommit.tla")))


def texts(body: str, symbol: str) -> list[str]:
    return [each.text for each in asked(body, symbol)]


def test_type_invariant_says_no_more_than_that() -> None:
    (text,) = texts('TypeOK == state \\in [Server -> {"a", "b"}]', "TypeOK")

    assert "two phase commit" in text


def test_invariant_is_named_and_said() -> None:
    found = texts(
        "ConsistentInv == \\A s \\in Server : state[s] = committed => prepared[s]", "ConsistentInv"
    )

    assert "consistent inv" in found[0]
    assert any(
        "for all s in server state s equals committed implies prepared s" in each for each in found
    )


def test_record_field_that_changes_is_no_negation() -> None:
    found = texts("StateInv == state = [inbox EXCEPT ![leader] = done]", "StateInv")

    assert any("state equals inbox except leader equals done" in each for each in found)


def test_prime_is_said() -> None:
    found = texts("StepsAgree == [][state' = inbox]_state", "StepsAgree")

    assert any("state prime equals inbox" in each for each in found)


def test_liveness_is_told_from_other_temporal_properties() -> None:
    found = texts("RequestGranted == requested ~> granted", "RequestGranted")

    assert "liveness property" in found[0]
    assert any("requested leads to granted" in each for each in found)


def test_refinement_names_both_modules() -> None:
    (text,) = texts("Abstract == INSTANCE AtomicCommit WITH state <- view", "Abstract")

    assert "two phase commit" in text
    assert "atomic commit" in text


@pytest.mark.parametrize(
    "body", ["Abstract == INSTANCE Sequences", "Abstract == INSTANCE TwoPhaseCommit"]
)
def test_instance_of_a_library_or_of_itself_refines_nothing(body: str) -> None:
    assert texts(body, "Abstract") == []


def test_specification_is_said_with_its_fairness() -> None:
    body = (
        "Init == state = 1\nNext == state' = 2\nSpec == Init /\\ [][Next]_state /\\ WF_state(Next)"
    )

    assert texts(body, "Spec") == ["temporal specification of two phase commit with weak fairness"]


def test_values_of_constants_are_no_initial_state() -> None:
    body = "ConstInit == Server = {}\nCorruptedInit == state = 1 /\\ inbox = 2"

    assert texts(body, "ConstInit") == []
    assert texts(body, "CorruptedInit") != []


def test_assumption_is_said_and_one_that_prints_is_not() -> None:
    found = texts(
        "ASSUME Sized == Quorum >= majority\nASSUME Told == PrintT(Server) >= done", "Sized"
    )

    assert any("quorum at least majority" in each for each in found)
    assert texts("ASSUME Told == PrintT(Server) >= majority", "Told") == []


def test_powers_and_sets_of_functions_are_said() -> None:
    found = texts("BoundedInv == inbox \\in [Server -> limit^count]", "BoundedInv")

    assert any("inbox in server to limit to the power of count" in each for each in found)


def test_name_alone_is_not_what_it_stands_for() -> None:
    found = texts("WholeInv == PartialInv", "WholeInv")

    assert not any("partial" in each for each in found)


def test_action_names_what_it_changes() -> None:
    (text,) = texts(
        'RcvPrepared(s) == /\\ inbox[s] = "p"\n  /\\ state\' = inbox\n  /\\ UNCHANGED inbox',
        "RcvPrepared",
    )

    assert "rcv prepared" in text
    assert text.endswith("state")


def test_next_names_its_actions() -> None:
    found = texts(
        "Abort == state' = inbox\nPrepare == Abort\nNext == \\/ Prepare\n  \\/ Abort", "Next"
    )

    assert found[0] == "next state relation of two phase commit: prepare, abort"


def test_plain_operator_is_not_asked_for() -> None:
    assert texts("Maximum(S) == CHOOSE x \\in S : \\A y \\in S : y <= x", "Maximum") == []
