# SPDX-License-Identifier: Apache-2.0
"""The sdist, the wheel that is built from it, and the pure wheel: their content, and that they work when installed.

Each wheel is installed outside the checkout, in an environment with only its requirements.
"""

import json
import os
import subprocess
import tarfile
import tomllib
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from program import environment
from wheels import CHECKOUT, build, install

_LAYER = "vkzircon_cli/emulation/layer/"
_AGENT = "vkzircon_cli/emulation/agent/"
_LIBRARIES = {"libVkLayer_vkzircon_external_memory.so", "libzircon.so"}
_MANIFEST = "VkLayer_vkzircon_external_memory.json"
# Headers in folders of layer/ are for programs; those directly in it are sources of the layer.
_HEADERS = {str(path.relative_to(CHECKOUT / _LAYER)) for path in (CHECKOUT / _LAYER).glob("*/**/*.h")}


@pytest.fixture(name="unpacked", scope="module")
def _unpacked(dist: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(dist[0]) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return source


@pytest.fixture(name="pure", scope="module")
def _pure(unpacked: Path) -> Path:
    """Build the pure wheel without a compiler."""
    env = environment({"VKZIRCON_NO_LAYER": "1", "PATH": "/nonexistent"})
    (wheel,) = build(unpacked, unpacked.parent / "pure", "--wheel", env=env)
    return wheel


def _run(python: Path, cwd: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run an installed vkzircon outside the checkout, with no other program in PATH."""
    return subprocess.run(
        [python.with_name("vkzircon"), *arguments],
        env=environment({"PATH": "/nonexistent", **env}),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("python", "unfit"),
    [("3.13", ("cffi", "1.16.0")), ("3.14", ("cffi", "1.17.1")), ("3.14", ("pydantic", "2.11.10"))],
)
def test_a_package_that_does_not_fit_a_python_is_not_allowed_there(python: str, unfit: tuple[str, str]) -> None:
    """With newer Pythons these do not build, or fail when they are imported; with Python 3.11 they work."""
    asked = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]

    def allowed(on: str) -> bool:
        of_it = [each for each in map(Requirement, asked) if each.name == unfit[0]]
        env = {"python_version": on, "sys_platform": "linux"}
        return all(unfit[1] in each.specifier for each in of_it if not each.marker or each.marker.evaluate(env))

    assert (allowed(python), allowed("3.11")) == (False, True)


def test_a_build_without_a_compiler_says_what_to_do(unpacked: Path, tmp_path: Path) -> None:
    """If the layer cannot be compiled, our own message names both solutions."""
    env = environment({"CC": "/nonexistent/cc", "PATH": "/nonexistent"})
    with pytest.raises(subprocess.CalledProcessError) as failed:
        build(unpacked, tmp_path, "--wheel", env=env)
    printed = " ".join((failed.value.stdout + failed.value.stderr).decode().split())
    assert (
        "The emulation layer needs a C compiler: install Debian's gcc and libc6-dev, or set VKZIRCON_NO_LAYER=1"
        in printed
    )


def test_the_sdist_is_what_git_has(dist: tuple[Path, Path]) -> None:
    """The sdist has exactly the tracked files: no cache and no build output."""
    with tarfile.open(dist[0]) as archive:
        packed = {str(PurePosixPath(*PurePosixPath(member.name).parts[1:])) for member in archive if member.isfile()}
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    git = subprocess.run(listing, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if git.returncode:
        pytest.skip("the tests do not run in a git checkout")
    there = {name for name in git.stdout.split("\0") if name and (CHECKOUT / name).exists()}
    assert packed - {"PKG-INFO"} == there


def test_the_wheel_holds_the_layer_and_no_sources_of_it(dist: tuple[Path, Path]) -> None:
    """The wheel has the libraries, manifest, headers and licence, and the files of the agent, but no other C source."""
    wheel = ZipFile(dist[1])
    names = set(wheel.namelist())
    layer = {name.removeprefix(_LAYER) for name in names if name.startswith(_LAYER)}
    assert layer == {_MANIFEST, *_LIBRARIES, *_HEADERS}
    assert "zircon/syscalls.h" in _HEADERS
    assert {name.split("/")[0].split("-")[0] for name in names} == {"vkzircon_cli", "vkzircon"}
    data = [name.partition(".data/data/")[2] for name in names if ".data/" in name]
    assert all(name.startswith("share/") for name in data)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    agent = {name for name in names if name.startswith(_AGENT)}
    assert agent == {_AGENT + path.name for path in (CHECKOUT / _AGENT).iterdir()}
    others = names - agent
    assert not [name for name in others if name.endswith((".pyc", ".c", ".in", ".map", "CMakeLists.txt"))]
    path = json.loads(wheel.read(_LAYER + _MANIFEST))["layer"]["library_path"]
    assert path.startswith("./")  # relative to the manifest, wherever the wheel is installed
    assert path.removeprefix("./") in _LIBRARIES


def test_the_wheel_fits_every_python_but_one_platform(dist: tuple[Path, Path], pure: Path) -> None:
    """The layer uses no Python ABI, and the pure wheel has no machine code."""
    assert dist[1].name.split("-")[2:4] == ["py3", "none"]
    assert "linux" in dist[1].name
    assert pure.name.endswith("-py3-none-any.whl")
    assert not [name for name in ZipFile(pure).namelist() if name.startswith(_LAYER)]
    assert _AGENT + "agent.c" in ZipFile(pure).namelist()


def test_the_wheel_installs_the_man_page_and_completions(installed: Path, pure: Path) -> None:
    """They are below share/ of the environment, where pip and pipx users find them; the pure wheel leaves them out."""
    share = installed.parents[1] / "share"
    completions = ("bash-completion/completions/vkzircon", "zsh/site-functions/_vkzircon", "fish/vendor_completions.d")
    for name in ("man/man1/vkzircon.1", *completions):
        assert (share / name).exists(), name
    assert not [name for name in ZipFile(pure).namelist() if "/share/" in name]


def test_the_libraries_are_stripped_and_find_each_other(dist: tuple[Path, Path], tmp_path: Path) -> None:
    """No library has debug symbols or a path of the build machine, and the layer finds libzircon beside itself."""
    for name in sorted(_LIBRARIES):
        library = Path(ZipFile(dist[1]).extract(_LAYER + name, tmp_path))
        assert os.fsencode(CHECKOUT) not in library.read_bytes()
        shown = subprocess.run(["readelf", "-SdW", library], capture_output=True, text=True, check=True).stdout
        assert ".symtab" not in shown
        assert ".debug_info" not in shown
        if name != "libzircon.so":
            assert "[libzircon.so]" in shown
            assert "[$ORIGIN]" in shown


def test_the_installed_wheel_does_the_main_job(installed: Path, lavapipe: str, tmp_path: Path) -> None:
    """The emulated report passes without checkout, compiler or extra packages, and `show` renders every format."""
    ran = _run(installed, tmp_path, "--emulate", "-f", "json", "-o", "r.json", VK_DRIVER_FILES=lavapipe)
    assert (ran.returncode, ran.stderr) == (0, "")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["emulation"]["active"] is True
    outcomes = {check["id"]: check["outcome"] for check in report["checks"]}
    assert outcomes["data.gpu-fill"] == "pass", outcomes
    assert "fail" not in outcomes.values()
    for form in ("terminal", "markdown", "html", "junit", "json"):
        shown = _run(installed, tmp_path, "show", "r.json", "--format", form)
        assert (shown.returncode, shown.stderr) == (0, ""), form
        assert shown.stdout


def test_a_pure_wheel_says_that_it_cannot_emulate(pure: Path, lavapipe: str, tmp_path: Path) -> None:
    """`--emulate` is exit code 4, one sentence and a hint; without the option the pure wheel works."""
    python = install(pure, tmp_path / "pure")
    ran = _run(python, tmp_path, "--emulate", "--format", "json", VK_DRIVER_FILES=lavapipe)
    assert (ran.returncode, json.loads(ran.stdout)["error"]["cause"]) == (4, "no-layer")
    assert "This vkzircon was installed without the emulation layer." in ran.stderr
    assert "VKZIRCON_NO_LAYER unset" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert _run(python, tmp_path, VK_DRIVER_FILES=lavapipe).returncode == 3
    doctor = _run(python, tmp_path, "doctor", "--emulate", "--format", "json", VK_DRIVER_FILES=lavapipe)
    assert doctor.returncode == 4
    said = json.loads(doctor.stdout)["summary"]["sentence"]
    assert said == "This vkzircon was installed without the emulation layer."
