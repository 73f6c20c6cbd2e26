# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the program, a driver, the emulation layer, and drivers that are broken on purpose."""

import fcntl
import json
import os
import subprocess
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest
from program import PROGRAM, Ran, Run, environment
from wheels import CHECKOUT, build, install

from vkzircon_cli.emulation import installation
from vkzircon_cli.emulation.agent_files import build as build_agent
from vkzircon_cli.errors import CannotAsk


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return 1.5 workers per processor, since many tests wait; at most one per named file, and none for one file."""
    asked = {argument.partition("::")[0] for argument in config.args}
    workers = len(os.sched_getaffinity(0)) * 3 // 2
    if not all(argument.endswith(".py") for argument in asked):
        return workers
    return min(workers, len(asked)) if len(asked) > 1 else 0


@pytest.fixture(name="vkzircon")
def _vkzircon(tmp_path: Path) -> Run:
    """Run the program to its end in an empty folder."""

    return partial(_run, tmp_path)


def _run(folder: Path, *arguments: str, **env: str | None) -> Ran:
    done = subprocess.run(
        [PROGRAM, *arguments],
        env=environment(env),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(name="dist", scope="session")
def _dist(layer: object, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from the sdist, as `python -m build` does."""
    assert layer
    folder = _shared(tmp_path_factory, "dist", lambda folder: build(CHECKOUT, folder, env=environment({})))
    wheel, sdist = sorted(folder.iterdir())
    return sdist, wheel


@pytest.fixture(name="installed", scope="session")
def _installed(dist: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel outside the checkout, and return the Python of its environment."""
    return _shared(tmp_path_factory, "installed", lambda folder: install(dist[1], folder)) / "bin" / "python"


def _shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that all workers share: the first worker fills it while the others wait."""
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    folder.mkdir(exist_ok=True)
    with folder.with_suffix(".made").open("a") as made:
        fcntl.flock(made, fcntl.LOCK_EX)
        if not os.fstat(made.fileno()).st_size:
            make(folder)
            made.write("yes")
    return folder


@pytest.fixture(name="lavapipe", scope="session")
def _lavapipe() -> str:
    """Find lavapipe's manifest, whose name contains the architecture."""
    found = sorted(Path("/usr/share/vulkan/icd.d").glob("lvp_icd*.json"))
    if not found:
        _missing("Mesa's lavapipe is not installed")
    return str(found[0])


@pytest.fixture(name="swiftshader", scope="session")
def _swiftshader() -> str:
    """Find the manifest of SwiftShader, which Chromium brings along."""
    manifest = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
    if not manifest.exists():
        _missing("Chromium's SwiftShader is not installed")
    return str(manifest)


@pytest.fixture(name="layer", scope="session")
def _layer(lavapipe: str) -> installation.Installation:
    """Find the emulation layer."""
    try:
        return installation.find()
    except CannotAsk as stop:
        _missing(stop.message)
    raise AssertionError(lavapipe)


def _missing(what: str) -> None:
    if os.environ.get("VKZIRCON_REQUIRE_LAYER"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(name="emulated")
def _emulated(vkzircon: Run, lavapipe: str, layer: installation.Installation) -> Run:
    """Run the program with the emulation layer over lavapipe."""

    def run(*arguments: str, **env: str | None) -> Ran:
        return vkzircon(*arguments, "--emulate", **{"VK_DRIVER_FILES": lavapipe, **env})

    assert layer.manifest.is_file()
    return run


@pytest.fixture(name="once", scope="session")
def _once(lavapipe: str, layer: installation.Installation, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the program as `emulated` does, each command line once for all tests that only read its output."""
    assert layer.manifest.is_file()
    folder = tmp_path_factory.mktemp("once")

    @cache
    def run(*arguments: str, **env: str | None) -> Ran:
        return _run(folder, *arguments, "--emulate", **{"VK_DRIVER_FILES": lavapipe, **env})

    return run


@pytest.fixture(name="broken_driver", scope="session")
def _broken_driver(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Build a driver whose constructor runs the given C statement, and return the path of its manifest."""
    folder = tmp_path_factory.mktemp("drivers")

    def build(statement: str) -> str:
        name = f"driver{len(list(folder.iterdir()))}"
        source = folder / f"{name}.c"
        source.write_text(
            "#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
            f"__attribute__((constructor)) static void start(void) {{ {statement} }}\n"
        )
        library = folder / f"lib{name}.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        manifest = folder / f"{name}.json"
        body = {"file_format_version": "1.0.0", "ICD": {"library_path": str(library), "api_version": "1.1.0"}}
        manifest.write_text(json.dumps(body))
        return str(manifest)

    return build


@pytest.fixture(name="agent", scope="session")
def _agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the agent for this machine, as `vkzircon agent --build` does."""
    return _shared(tmp_path_factory, "agent", lambda folder: build_agent(folder / "vkzircon-agent")) / "vkzircon-agent"
