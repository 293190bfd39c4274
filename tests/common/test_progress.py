from common.progress import Progress


def test_it_is_told_every_ten_seconds_and_not_more_often() -> None:
    told: list[str] = []
    now = [100.0]
    progress = Progress(told.append, "documents", clock=lambda: now[0])
    for second in range(1, 26):
        now[0] += 1
        progress(second * 100, 2600)
    assert told == ["1,000 of 2,600 documents", "2,000 of 2,600 documents"]


def test_what_is_done_soon_is_not_told() -> None:
    told: list[str] = []
    progress = Progress(told.append, "documents")
    progress(1, 2)
    progress(2, 2)
    assert told == []
