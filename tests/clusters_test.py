"""Tests of docs/clusters: what can be known of its files where there is no cluster."""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
import yaml

from fpliif_jax.commands import command_line

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "clusters"
SBATCH = FOLDER / "train.sbatch"


def test_the_batch_script_is_bash_and_its_options_come_first() -> None:
    subprocess.run(["bash", "-n", SBATCH], check=True)
    lines = SBATCH.read_text("utf-8").splitlines()
    options = [index for index, line in enumerate(lines) if line.startswith("#SBATCH")]
    command = next(index for index, line in enumerate(lines) if line and not line.startswith("#"))
    assert options and max(options) < command  # Slurm does not read the ones after a command


@pytest.mark.parametrize(
    ("code", "is_queued_again"), [(0, False), (1, False), (75, True), (143, True)]
)
def test_the_batch_script_queues_itself_again_when_a_machine_or_time_is_lost(
    tmp_path: pathlib.Path, code: int, is_queued_again: bool
) -> None:
    for name, end in (("srun", code), ("scontrol", 0)):
        program = f'#!/bin/sh\necho {name} "$@" >> "{tmp_path}/calls"\nexit {end}\n'
        (tmp_path / name).write_text(program)
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "17"}
    done = subprocess.run(["bash", SBATCH, "--config=lapa", "--workdir=my run"], env=environment)
    assert done.returncode == code
    started, *others = (tmp_path / "calls").read_text().splitlines()
    assert started.endswith("python -m fpliif_jax.main --config=lapa --workdir=my run")
    assert others == (["scontrol requeue 17"] if is_queued_again else [])


def test_the_jobset_has_fields_of_jobset_alone() -> None:
    content = yaml.safe_load((FOLDER / "jobset.yaml").read_text("utf-8"))
    published = pytest.importorskip("kubeflow_trainer_api.models.jobset_v1alpha2_job_set")
    types = published.JobsetV1alpha2JobSet
    # What the published types do not know is left out by them, and a value of another type refused.
    assert types.from_dict(content).to_dict() == content
    (replicated,) = content["spec"]["replicatedJobs"]
    replicated["template"]["spec"]["backoffLimits"] = 0
    assert types.from_dict(content).to_dict() != content


def test_the_jobset_starts_the_processes_that_its_command_says() -> None:
    content = yaml.safe_load((FOLDER / "jobset.yaml").read_text("utf-8"))
    assert (content["apiVersion"], content["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    (replicated,) = content["spec"]["replicatedJobs"]
    assert replicated.get("replicas", 1) == 1
    job = replicated["template"]["spec"]
    assert job["completionMode"] == "Indexed"  # sets JOB_COMPLETION_INDEX
    assert job["parallelism"] == job["completions"]
    # A pod that ends is no second try beside the others: the whole set starts again, from the last checkpoint.
    assert job["backoffLimit"] == 0 < content["spec"]["failurePolicy"]["maxRestarts"]
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    assert container["command"] == ["bash", "-c"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] > 0
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert mounts.keys() == {one["name"] for one in pod["volumes"]}

    (text,) = container["args"]
    exec_, python, m, module, *arguments = shlex.split(text)
    assert (exec_, python, m, module) == ("exec", "python", "-m", "fpliif_jax.main")
    values = dict(one.removeprefix("--").split("=", 1) for one in arguments)
    name = content["metadata"]["name"]
    host, _, port = values["coordinator_address"].partition(":")
    assert host == f"{name}-{replicated['name']}-0-0.{name}" and port.isdecimal()
    assert values["num_processes"] == str(job["completions"])
    assert values["process_id"] == "$JOB_COMPLETION_INDEX"
    places = ("workdir", "config.data.manual_dir", "config.data.data_dir")
    assert all(values[place].startswith(f"{mounts['shared']}/") for place in places)
    config = command_line.config_of([one for one in arguments if one.startswith("--config")])
    assert config.data.name == "lapa"


def test_the_jobsets_image_is_the_one_that_the_page_builds() -> None:
    container = r"image: (\S+) # docs/clusters/Dockerfile"
    (image,) = re.findall(container, (FOLDER / "jobset.yaml").read_text("utf-8"))
    build = (
        f"docker build -f docs/clusters/Dockerfile -t {image} --build-arg EXTRA='[cuda,study]' ."
    )
    for path in (FOLDER / "Dockerfile", ROOT / "docs" / "clusters.md"):
        assert build in path.read_text("utf-8")


def _folders_of_packages() -> set[pathlib.PurePath]:
    """As setup.py has them."""
    program = (
        "import setuptools, json; setuptools.setup = lambda **what: print(json.dumps(what)); "
        "exec(open('setup.py').read())"
    )
    printed = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)
    content = yaml.safe_load(printed)
    folders = set()
    for package in content["packages"]:
        beside = [one for one in content["package_dir"] if f"{package}.".startswith(f"{one}.")]
        path = package
        for name in beside:
            path = content["package_dir"][name] + package.removeprefix(name)
        folders.add(pathlib.PurePath(*path.split(".")))
    return folders


def test_the_image_gets_every_file_that_the_package_is_built_of() -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text("utf-8")
    copied = set()
    for line in re.findall(r"^COPY (.*)$", dockerfile, re.M):
        *sources, target = line.split()
        assert target == "./" or sources == [target], "a file comes to lie elsewhere"
        copied |= set(map(pathlib.PurePath, sources))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (constraint,) = re.findall(r"--constraint (\S+)", dockerfile)
    files = ("pyproject.toml", "setup.py", project["readme"], *project["license-files"], constraint)
    needed = _folders_of_packages() | set(map(pathlib.PurePath, files))
    assert len(needed) > 50
    assert {one for one in needed if not copied & {one, *one.parents}} == set()
    # Docker sees no file that .dockerignore does not let through.
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert ignored[0] == "**"
    assert {f"!{one}" for one in copied} <= set(ignored)
    extras = set(re.findall(r"EXTRA='\[(.*?)\]'", dockerfile))
    assert {name for extra in extras for name in extra.split(",")} <= set(
        project["optional-dependencies"]
    )
