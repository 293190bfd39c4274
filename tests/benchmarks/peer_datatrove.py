"""datatrove's MinHash deduplication, for `tests.benchmarks.peers`: runs under an interpreter that has it.

`python peer_datatrove.py FOLDER BUCKETS HASHES NGRAMS [--words]` reads `FOLDER/in/*.jsonl`, writes below
`FOLDER/run` and prints the seconds of each stage as JSON. With `--words`, the words that it compares, too.
"""

import json
import os
import sys
import time
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor  # pyright: ignore[reportMissingImports]
from datatrove.pipeline.dedup import (  # pyright: ignore[reportMissingImports]
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import (  # pyright: ignore[reportMissingImports]
    MinhashConfig,
)
from datatrove.pipeline.readers import JsonlReader  # pyright: ignore[reportMissingImports]
from datatrove.pipeline.writers import JsonlWriter  # pyright: ignore[reportMissingImports]
from datatrove.utils.text import simplify_text  # pyright: ignore[reportMissingImports]
from datatrove.utils.word_tokenizers import (  # pyright: ignore[reportMissingImports]
    load_word_tokenizer,
)


def deduplicate(folder: Path, config: MinhashConfig) -> dict[str, float]:
    """The four stages, with as many workers as there are processors; the seconds of each."""
    given, made = str(folder / "in"), folder / "run"
    files, workers = len(list((folder / "in").iterdir())), os.cpu_count() or 1
    signatures, buckets, removed = (str(made / name) for name in ("sign", "buckets", "removed"))
    written = JsonlWriter(str(made / "out"), compression=None)
    stages = {
        "signature": ([JsonlReader(given), MinhashDedupSignature(signatures, config)], files),
        "buckets": ([MinhashDedupBuckets(signatures, buckets, config=config)], config.num_buckets),
        "cluster": ([MinhashDedupCluster(buckets, removed, config, save_cluster_id=True)], 1),
        "filter": ([JsonlReader(given), MinhashDedupFilter(removed), written], files),
    }
    seconds = {}
    for name, (steps, tasks) in stages.items():
        started = time.perf_counter()
        log = str(made / "log" / name)
        LocalPipelineExecutor(steps, tasks, min(tasks, workers), logging_dir=log).run()
        seconds[name] = time.perf_counter() - started
    return seconds


def write_words(folder: Path, config: MinhashConfig) -> None:
    """What is left of each text once it is normalised and cut into words."""
    tokenizer = load_word_tokenizer("eng")
    with (folder / "words.jsonl").open("w", encoding="utf-8") as out:
        for path in sorted((folder / "in").iterdir()):
            for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
                simple = simplify_text(json.loads(line)["text"], config.norm_config)
                out.write(json.dumps(tokenizer.word_tokenize(simple)) + "\n")


if __name__ == "__main__":
    place, (num_buckets, hashes, ngrams) = Path(sys.argv[1]), map(int, sys.argv[2:5])
    wanted = MinhashConfig(n_grams=ngrams, num_buckets=num_buckets, hashes_per_bucket=hashes)
    if "--words" in sys.argv:
        write_words(place, wanted)
    print(json.dumps(deduplicate(place, wanted)))
