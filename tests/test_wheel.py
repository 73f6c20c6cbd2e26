# SPDX-License-Identifier: Apache-2.0
"""What `python -m build` gives: the sdist, the wheel that is built from it, and the pure wheel, each put to use.

A wheel is installed outside the checkout, in an environment that has what the wheel declares and nothing else. No
network is asked: the declared packages are those of the environment that runs the tests.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from program import environment

_CHECKOUT = Path(__file__).parent.parent
_LAYER = "vkzircon_cli/emulation/layer/"
_LIBRARIES = {"libVkLayer_vkzircon_external_memory.so", "libzircon.so"}
_MANIFEST = "VkLayer_vkzircon_external_memory.json"
# Those at the layer's own level are its sources; those in folders are for programs.
_HEADERS = {str(path.relative_to(_CHECKOUT / _LAYER)) for path in (_CHECKOUT / _LAYER).glob("*/*.h")}


def _build(source: Path, into: Path, *arguments: str, **env: str | None) -> list[Path]:
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", into, *arguments, source],
        env=environment(env),
        check=True,
        capture_output=True,
    )
    return sorted(into.iterdir())


@pytest.fixture(name="dist", scope="module")
def _dist(layer: object, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from the sdist, as `python -m build` does."""
    assert layer
    wheel, sdist = _build(_CHECKOUT, tmp_path_factory.mktemp("dist"))
    return sdist, wheel


@pytest.fixture(name="pure", scope="module")
def _pure(dist: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the pure wheel from the unpacked sdist where no compiler is in reach."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(dist[0]) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    (wheel,) = _build(source, folder / "pure", "--wheel", VKZIRCON_NO_LAYER="1", PATH="/nonexistent")
    return wheel


def _required(wheel: Path) -> Iterator[importlib.metadata.Distribution]:
    """Walk the packages that the wheel's metadata asks for here, and those that they ask for."""
    with ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        asked = message_from_string(archive.read(metadata).decode()).get_all("Requires-Dist") or []
    seen = set()
    while asked:
        requirement = Requirement(asked.pop())
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        distribution = importlib.metadata.distribution(name)
        asked += distribution.requires or []
        yield distribution


def _install(wheel: Path, folder: Path) -> Path:
    """Make an environment with the wheel in it, and give its program."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install"]
    subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True, capture_output=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for distribution in _required(wheel):
        for top in {PurePosixPath(file).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(distribution.locate_file(top))  # type: ignore[arg-type]
    return folder / "bin" / "vkzircon"


def _run(program: Path, cwd: Path, *arguments: str, **env: str | None) -> subprocess.CompletedProcess[str]:
    """Run an installed program where neither the checkout nor any other program is in reach."""
    return subprocess.run(
        [program, *arguments],
        env=environment({"PATH": "/nonexistent", **env}),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(name="installed", scope="module")
def _installed(dist: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _install(dist[1], tmp_path_factory.mktemp("installed"))


@pytest.fixture(name="installed_pure", scope="module")
def _installed_pure(pure: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _install(pure, tmp_path_factory.mktemp("pure"))


def test_a_build_without_a_compiler_says_what_to_do(dist: tuple[Path, Path], tmp_path: Path) -> None:
    """Where the layer cannot be compiled, the last word is ours, and names both ways out."""
    with tarfile.open(dist[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    with pytest.raises(subprocess.CalledProcessError) as failed:
        _build(source, tmp_path / "dist", "--wheel", CC="/nonexistent/cc", PATH="/nonexistent")
    said = " ".join((failed.value.stdout + failed.value.stderr).decode().split())
    assert (
        "The emulation layer needs a C compiler: install Debian's gcc and libc6-dev, or set VKZIRCON_NO_LAYER=1" in said
    )


def test_the_sdist_is_what_git_has(dist: tuple[Path, Path]) -> None:
    """Every tracked file is in it and nothing else: no cache, no build, and nothing forgotten."""
    with tarfile.open(dist[0]) as archive:
        packed = {str(PurePosixPath(*PurePosixPath(member.name).parts[1:])) for member in archive if member.isfile()}
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    git = subprocess.run(listing, cwd=_CHECKOUT, capture_output=True, text=True, check=False)
    if git.returncode:
        pytest.skip("the tests do not run in a git checkout")
    there = {name for name in git.stdout.split("\0") if name and (_CHECKOUT / name).exists()}
    assert packed - {"PKG-INFO"} == there


def test_the_wheel_holds_the_layer_and_no_sources_of_it(dist: tuple[Path, Path]) -> None:
    """Libraries, manifest, headers and licence are in; C sources, tests and caches are not."""
    names = ZipFile(dist[1]).namelist()
    assert {name.removeprefix(_LAYER) for name in names if name.startswith(_LAYER)} == {
        _MANIFEST,
        *_LIBRARIES,
        *_HEADERS,
    }
    assert "zircon/syscalls.h" in _HEADERS
    assert {name.split("/")[0].split("-")[0] for name in names} == {"vkzircon_cli", "vkzircon"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not [name for name in names if name.endswith((".pyc", ".c", ".in", ".map", "CMakeLists.txt"))]


def test_the_wheel_fits_every_python_but_one_platform(dist: tuple[Path, Path], pure: Path) -> None:
    """The layer touches no Python ABI, and the pure wheel holds no machine's code at all."""
    assert dist[1].name.split("-")[2:4] == ["py3", "none"]
    assert "linux" in dist[1].name
    assert pure.name.endswith("-py3-none-any.whl")
    assert not [name for name in ZipFile(pure).namelist() if name.startswith(_LAYER)]


@pytest.mark.parametrize("name", sorted(_LIBRARIES))
def test_the_libraries_are_stripped_and_find_each_other(dist: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    """No symbols to debug with, no path of the machine that built them, and libzircon looked for beside the layer."""
    library = Path(ZipFile(dist[1]).extract(_LAYER + name, tmp_path))
    assert os.fsencode(_CHECKOUT) not in library.read_bytes()
    shown = subprocess.run(["readelf", "-SdW", library], capture_output=True, text=True, check=True).stdout
    assert ".symtab" not in shown
    assert ".debug_info" not in shown
    if name != "libzircon.so":
        assert "[libzircon.so]" in shown
        assert "[$ORIGIN]" in shown


def test_the_manifest_names_the_library_beside_it(dist: tuple[Path, Path]) -> None:
    """Wherever the wheel is installed, the loader finds the library relative to the manifest."""
    manifest = json.loads(ZipFile(dist[1]).read(_LAYER + _MANIFEST))
    path = manifest["layer"]["library_path"]
    assert path.startswith("./")
    assert path.removeprefix("./") in _LIBRARIES


def test_the_installed_wheel_does_the_main_job(installed: Path, lavapipe: str, tmp_path: Path) -> None:
    """Outside the checkout and with no compiler, the emulated report passes and the layer is the wheel's own."""
    ran = _run(installed, tmp_path, "--emulate", "--format", "json", VK_DRIVER_FILES=lavapipe)
    assert (ran.returncode, ran.stderr) == (0, "")
    report = json.loads(ran.stdout)
    assert report["emulation"]["active"] is True
    outcomes = {check["id"]: check["outcome"] for check in report["checks"]}
    assert outcomes["data.gpu-fill"] == "pass", outcomes
    assert "fail" not in outcomes.values()


def test_the_installed_wheel_needs_no_package_that_it_does_not_name(
    installed: Path, lavapipe: str, tmp_path: Path
) -> None:
    """Each form that a report can be given in is there, and so is a report's way back in."""
    as_json = ("--format", "json", "--output", "r.json")
    assert _run(installed, tmp_path, "--emulate", *as_json, VK_DRIVER_FILES=lavapipe).returncode == 0
    for form in ("terminal", "markdown", "html", "junit", "json"):
        ran = _run(installed, tmp_path, "show", "r.json", "--format", form)
        assert (ran.returncode, ran.stderr) == (0, ""), form
        assert ran.stdout


def test_a_pure_wheel_says_that_it_cannot_emulate(installed_pure: Path, lavapipe: str, tmp_path: Path) -> None:
    """`--emulate` is exit 4 with one sentence and what to do; without it the program works as ever."""
    ran = _run(installed_pure, tmp_path, "--emulate", "--format", "json", VK_DRIVER_FILES=lavapipe)
    assert (ran.returncode, json.loads(ran.stdout)["error"]["cause"]) == (4, "no-layer")
    assert "This vkzircon was installed without the emulation layer." in ran.stderr
    assert "VKZIRCON_NO_LAYER unset" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert _run(installed_pure, tmp_path, VK_DRIVER_FILES=lavapipe).returncode == 3
