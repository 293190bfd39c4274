import pytest

from corpus.wording import points_elsewhere


@pytest.mark.parametrize(
    "query",
    [
        "See the manual of the compiler",
        "See `rotate`",
        "(see the other one)",
        "... and now the other half",
        "… and now the other half",
        "Cf. the manual",
        "Ditto for the right side",
        "As above, but to the left",
        "Same as rotate, to the left",
        "Unlike rotate, turns to the left",
        "Like `rotate`, but to the left",
        "Like Tree::rotate except for the root",
        "Another version of rotate",
        "Possibly this is no longer wanted",
        "In fact it is a tree",
        "Note that the tree may be empty",
        "NB the tree may be empty",
        "We turn it twice",
        "Let us turn it twice",
        "Let's turn it twice",
        "Precondition of the turn",
        "Post-conditions of the turn",
        "Hack around a bug of the linker",
        "The following action turns the tree",
        "The above lemma for trees",
        "The next lemma is about trees",
        "The previous two theorems, for trees",
        "This is the main theorem",
        "This is the invariant",
    ],
)
def test_sentence_about_something_else_points_elsewhere(query: str) -> None:
    assert points_elsewhere(query)


@pytest.mark.parametrize("query", ["Turns one of these:", "Turns one of these: "])
def test_sentence_that_leads_in_points_elsewhere(query: str) -> None:
    assert points_elsewhere(query)


@pytest.mark.parametrize(
    "query",
    [
        "Author: Somebody who wrote all of it",
        "ANCHOR: turn",
        "File name: the_tree.rs, in the end",
        "Examples: one tree and another tree",
        "Module: net/tcp.",
        "Last modified by somebody",
        "Modified on Monday",
    ],
)
def test_field_of_a_header_points_elsewhere(query: str) -> None:
    assert points_elsewhere(query)


@pytest.mark.parametrize(
    "query",
    [
        "Rotates left around a node",
        "Seeks the end of a file",
        "Notebook of a student",
        "Likes of a post",
        "Like a map that keeps its order",
        "The next element of a list",
        "The next-state relation of the protocol",
        "The previous sibling of a node",
        "Anchor of a link",
        "File name without its extension",
        "Version of the protocol in use",
        "Lets go of a lock",
        "This is the root of a tree",
        "Wraps std::string",
        "Three kinds of nodes: leaves and roots and branches",
        "Parses `key: value` into a pair of words",
        "",
    ],
)
def test_sentence_about_the_code_does_not_point_elsewhere(query: str) -> None:
    assert not points_elsewhere(query)
