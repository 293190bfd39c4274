"""Where training runs: a process here, or a pod of a cluster that a small server plays."""

import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from common.errors import ProvenderError
from resources.trainer import Trainer
from tests.resources.kubernetes_api import Cluster
from tests.tiny import pair, tiny_recipe, write_corpus, write_curriculum, write_recipe
from training.checkpoint import read_manifest


@pytest.fixture
def project(tmp_path: Path, tiny_model: Path) -> Path:
    """A folder with the curriculum of a tiny stage, pairs, and a pod to train in."""
    write_recipe(tmp_path / "train.yaml", tiny_recipe(tiny_model))
    write_curriculum(tmp_path, "rust")
    write_corpus(tmp_path / "pairs.parquet", [pair(number) for number in range(88)])
    write_corpus(tmp_path / "valid.parquet", [pair(n, split="valid") for n in range(8)])
    (tmp_path / "eval").mkdir()
    pod = {
        "image": "provender-location:0.1.0-gpu",
        "namespace": "training",
        "env": {"OMP_NUM_THREADS": "1"},
        "metadata": {"labels": {"team": "search"}},
        "spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": 1}}}]},
        "poll_s": 0.2,
    }
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(pod), encoding="utf-8")
    return tmp_path


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with Cluster() as made:
        place = tmp_path / "kubeconfig"
        place.write_text(yaml.safe_dump(made.kubeconfig), encoding="utf-8")
        monkeypatch.setattr(
            "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(place)
        )
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        yield made


def train(
    project: Path,
    *,
    stage: str = "rust",
    python: str = sys.executable,
    pod: str = "",
    job: str = "",
) -> tuple[bool, list[str]]:
    """Train through a `Trainer` in a run of its own: whether that succeeded, and its messages."""

    @dg.asset
    def made(context: dg.AssetExecutionContext, trainer: Trainer) -> dg.MaterializeResult:
        trainer.run(
            context,
            curriculum=project / "curriculum.yaml",
            stage=stage,
            corpus=project / "pairs.parquet",
            valid=project / "valid.parquet",
            judged=project / "eval",
            models=project / "models",
            tracking_uri=f"sqlite:///{project / 'mlflow.db'}",
        )
        return dg.MaterializeResult()

    trainer = Trainer(python=python, pod=pod, job=job)
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize(
            [made], resources={"trainer": trainer}, instance=instance, raise_on_error=False
        )
        messages = [each.user_message for each in instance.all_logs(done.run_id)]
    errors = [each.step_failure_data.error for each in done.get_step_failure_events()]
    messages += [str(error.cause or error) for error in errors if error]
    return done.success, messages


def test_training_in_a_pod_is_told_to_its_run(project: Path, cluster: Cluster) -> None:
    success, messages = train(project, pod=str(project / "pod.yaml"))
    assert success, messages
    assert any(each.endswith(f"trained {project}/models/stage_rust") for each in messages)
    assert any("step 20 of 22: loss" in each for each in messages)
    assert len(read_manifest(project / "models" / "stage_rust")["history"]) == 22

    [pod] = cluster.asked
    [container] = pod["spec"]["containers"]
    assert cluster.namespaces == ["training"]
    assert container["image"] == "provender-location:0.1.0-gpu"
    assert container["command"][:3] == ["python", "-m", "training.run"]
    assert container["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    assert {"name": "OMP_NUM_THREADS", "value": "1"} in container["env"]
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["metadata"]["labels"]["team"] == "search"
    assert cluster.deleted == [pod["metadata"]["name"]]


def test_a_pod_that_fails_fails_the_run_and_is_deleted(project: Path, cluster: Cluster) -> None:
    success, messages = train(project, stage="formal", pod=str(project / "pod.yaml"))
    assert not success
    assert len(cluster.deleted) == 1
    assert any("did not succeed" in each or "failed" in each for each in messages)


@pytest.mark.parametrize(
    ("module", "name", "variable"),
    [
        ("dagster_k8s", "k8s", "PROVENDER_TRAINING_POD"),
        ("dagster_ray", "ray", "PROVENDER_TRAINING_RAY"),
    ],
)
def test_without_the_extra_one_message_says_what_to_install(
    project: Path, module: str, name: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "job.yaml").write_text("gpus: 1\n", encoding="utf-8")
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv(variable, str(project / ("pod.yaml" if name == "k8s" else "job.yaml")))
    success, messages = train(project)
    assert not success
    assert any(f"need the extra `{name}`, which is not installed" in each for each in messages)


def test_training_goes_to_one_place(project: Path) -> None:
    success, messages = train(project, pod=str(project / "pod.yaml"), job="job.yaml")
    assert not success
    assert any("Unset one of them." in each for each in messages)


def test_a_mistake_in_the_pods_file_is_told_with_its_place(project: Path) -> None:
    from common.config import load
    from resources.pods import TrainingPod

    (project / "pod.yaml").write_text("image: a:1\nnamespce: b\n", encoding="utf-8")
    with pytest.raises(ProvenderError, match="did you mean `namespace`"):
        load(project / "pod.yaml", TrainingPod)


def test_without_a_pod_training_is_a_process_here(project: Path) -> None:
    success, messages = train(project)
    assert success, messages
    assert (project / "models" / "stage_rust" / "manifest.json").is_file()


def test_a_failed_training_says_where_its_message_is(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    success, messages = train(project, stage="nosuch")
    assert not success
    assert any(
        "ended with code 1; its own message is on standard error" in each for each in messages
    )
    assert "nosuch" in capfd.readouterr().err


def test_a_step_stopped_while_training_starts_stops_it_without_a_traceback(project: Path) -> None:
    script, told = project / "python", project / "told"
    script.write_text(f'#!/bin/sh\nkill -INT $PPID\nexec {sys.executable} "$@" 2> {told}\n')
    script.chmod(0o755)
    success, _ = train(project, python=str(script))
    assert not success
    assert told.read_text() == "stopped; the same command continues at the last saved step\n"
    assert not (project / "models" / "stage_rust").exists()
