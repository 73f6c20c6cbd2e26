# SPDX-License-Identifier: Apache-2.0
"""Libraries that manifests name are found as the linker finds them, and loaded in tasks."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from program import Run

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.library import Fate, LibraryTrial
from vkzircon_cli.doctor.loader_trial import Asked, Tried
from vkzircon_cli.doctor.manifest import ManifestExam
from vkzircon_cli.doctor.manifest_check import driver_findings, examine_all
from vkzircon_cli.doctor.search import Surroundings


def _exams(*manifests: Path | str, platform: str = "linux", limit_s: float = 0.5) -> tuple[ManifestExam, ...]:
    given = {"VK_DRIVER_FILES": ":".join(map(str, manifests))}
    return examine_all(Surroundings(platform, False, given, limit_s)).drivers


def _naming(path: Path, library: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    icd = {"library_path": library, "api_version": "1.1.0"}
    path.write_text(json.dumps({"file_format_version": "1.0.0", "ICD": icd}))
    return path


@pytest.fixture(name="driver")
def _driver(lavapipe: str) -> Path:
    """Return the path of the good driver's library; later releases of Mesa leave the folder to the linker."""
    named = str(json.loads(Path(lavapipe).read_text())["ICD"]["library_path"])
    return next(path for path in (Path(named), *sorted(Path("/usr/lib").glob(f"*/{named}"))) if path.is_absolute())


def _devices(manifest: Path) -> int:
    env = {"PATH": os.environ["PATH"], "HOME": "/dev/null", "VK_DRIVER_FILES": str(manifest)}
    ran = subprocess.run(["vulkaninfo", "--summary"], env=env, capture_output=True, check=False)
    return ran.stdout.count(b"deviceName")


@pytest.mark.parametrize("word", ["$LIB", "${LIB}"])
def test_the_linkers_own_words_in_a_path_are_its_to_read(word: str, tmp_path: Path, driver: Path) -> None:
    """$LIB layouts differ; a missing library is reported as missing, not as a missing dependency."""
    if not driver.is_relative_to("/usr/lib"):
        pytest.skip("the driver is not where the linker looks")
    manifest = _naming(tmp_path / "good.json", f"/usr/{word}/{driver.name}")
    (exam,) = _exams(manifest)
    assert (exam.is_usable, _devices(manifest)) == (True, 1)
    (gone,) = _exams(_naming(tmp_path / "gone.json", f"/usr/{word}/libnone.so"))
    assert gone.finding.id == "manifest.library-missing"


def test_dots_lead_where_the_system_says(tmp_path: Path, driver: Path) -> None:
    """In a folder that is a link, '..' is the parent of its target."""
    real = tmp_path / "real" / "icd.d"
    manifest = _naming(real / "driver.json", "../driver.so")
    (tmp_path / "real" / "driver.so").symlink_to(driver)
    (tmp_path / "icd.d").symlink_to(real)
    (exam,) = _exams(tmp_path / "icd.d" / manifest.name)
    assert (exam.is_usable, _devices(tmp_path / "icd.d" / manifest.name)) == (True, 1)


def test_a_pipe_for_a_library_hangs_a_child_only(tmp_path: Path) -> None:
    """It is not opened here; the loader would block on it."""
    os.mkfifo(tmp_path / "pipe.so")
    began = time.monotonic()
    (exam,) = _exams(_naming(tmp_path / "driver.json", "./pipe.so"))
    assert (exam.finding.id, exam.kills) == ("library.hangs", True)
    assert time.monotonic() - began < 30


_GARBAGE = ("0", "[]", "x", "[[[", "[1e300, 1]", "[1, [1]]", '[1, ["loaded", 2]]', '[1, ["nope"]]', "[" * 2000)
# In a process of its own, because such a library writes into all descriptors.
_EXAMINE = """
import sys
from vkzircon_cli.doctor.manifest_check import examine_all
from vkzircon_cli.doctor.search import Surroundings
given = {"VK_DRIVER_FILES": ":".join(sys.argv[1:])}
for exam in examine_all(Surroundings("linux", False, given, 5)).drivers:
    print(exam.finding.id, exam.finding.sentence)
"""


def test_a_library_that_writes_into_our_pipe_is_none(broken_driver: Callable[[str], str]) -> None:
    """It is reported as failing, and nothing that it wrote is believed."""
    manifests = []
    for written in _GARBAGE:
        quoted, size = json.dumps(written + "\n"), len(written) + 1
        statement = f"for (int fd = 3; fd < 1024; fd++) if (write(fd, {quoted}, {size}) < 0) continue;"
        manifests.append(broken_driver(statement))
    done = subprocess.run([sys.executable, "-c", _EXAMINE, *manifests], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert len(told) == len(_GARBAGE)
    for line in told:
        assert line.startswith("library.exits ")
        assert "wrote a line that is not an answer" in line


def test_libraries_that_hang_are_waited_for_together(broken_driver: Callable[[str], str]) -> None:
    """Four of them take less than their timeouts one after the other."""
    manifests = [broken_driver("for (;;) pause();") for _ in range(4)]
    began = time.monotonic()
    exams = _exams(*manifests, limit_s=4)
    assert [exam.finding.id for exam in exams] == ["library.hangs"] * 4
    assert time.monotonic() - began < 16


@pytest.mark.parametrize(
    ("statement", "words"),
    [("raise(40);", "signal 40"), ("raise(SIGKILL);", "SIGKILL"), ("_exit(3);", "exit status 3")],
)
def test_every_end_has_a_name(broken_driver: Callable[[str], str], statement: str, words: str) -> None:
    """Also a signal without a name.

    `exit` would first run the handlers of libraries that this process has loaded, which may wait for its threads.
    """
    (exam,) = _exams(broken_driver(statement), limit_s=10)
    assert words in exam.finding.sentence


@pytest.mark.parametrize("library", ["/x\\u0000y.so", "/x\\ud800y.so", "x\\u0000y.so", "\\ud800.so"])
def test_names_that_no_file_can_have_are_no_traceback(tmp_path: Path, library: str) -> None:
    """A zero and half a pair are dropped, as the loader does."""
    manifest = _naming(tmp_path / "driver.json", "LIBRARY")
    manifest.write_text(manifest.read_text().replace("LIBRARY", library))
    (exam,) = _exams(manifest)
    assert exam.finding.id == "manifest.library-missing"


def test_one_driver_of_two_manifests_is_there_twice(tmp_path: Path, lavapipe: str, driver: Path) -> None:
    """Also through a link, or read twice; one that is left out does not count."""
    (tmp_path / "link.so").symlink_to(driver)
    first, twin = _naming(tmp_path / "first.json", str(driver)), _naming(tmp_path / "twin.json", "./link.so")
    assert [exam.finding.id for exam in _exams(first, twin)] == ["manifest.fine", "manifest.duplicate"]
    assert [exam.finding.id for exam in _exams(lavapipe, lavapipe)] == ["manifest.fine", "manifest.duplicate"]
    left_out = _naming(tmp_path / "left_out.json", str(driver))
    left_out.write_text(left_out.read_text().replace('"1.1.0"', '"1.1.1.0"'))
    assert [exam.finding.id for exam in _exams(left_out, lavapipe)] == ["manifest.left-out", "manifest.fine"]


def test_a_name_for_the_linker_and_a_path_may_be_the_same_driver(tmp_path: Path, driver: Path) -> None:
    """The file that the loader mapped counts."""
    if not driver.is_relative_to("/usr/lib"):
        pytest.skip("the driver is not where the linker looks")
    path, name = _naming(tmp_path / "path.json", str(driver)), _naming(tmp_path / "name.json", driver.name)
    for pair in ((path, name), (name, path)):
        assert [exam.finding.id for exam in _exams(*pair, limit_s=10)] == ["manifest.fine", "manifest.duplicate"]


@pytest.mark.parametrize(
    ("files", "file"),
    [
        (("/a/libx.so.1", "/a/liby.so"), "/a/libx.so.1"),
        (("/a/libx.so", "/b/libx.so"), "libx.so"),
        (("/a/liby.so",), "libx.so"),
    ],
)
def test_a_name_that_may_be_either_of_two_files_is_neither(files: tuple[str, ...], file: str) -> None:
    """A driver is not called a duplicate by its name."""
    assert Asked(whole=Tried(files=files)).file_of("libx.so") == file
    assert Asked().file_of("libx.so") == "libx.so"


def test_where_no_process_can_be_started_nothing_is_loaded(driver: Path) -> None:
    """Not tried is a skip with its reason, and no traceback."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        fates = LibraryTrial([str(driver)], 1.0).loadings()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert fates[str(driver)].fate is Fate.NOT_TRIED
    assert "Too many open files" in fates[str(driver)].words


def test_many_libraries_take_few_descriptors(tmp_path: Path) -> None:
    """They are loaded in groups."""
    manifests = [_naming(tmp_path / f"{number}.json", f"libnone{number}.so") for number in range(300)]
    before = len(list(Path("/proc/self/fd").iterdir()))
    exams = _exams(tmp_path, limit_s=30)
    assert {exam.finding.id for exam in exams} == {"manifest.library-missing"}
    assert len(manifests) == len(exams)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_library_that_hangs_ends_with_doctor(broken_driver: Callable[[str], str]) -> None:
    """No process is left behind, however loading ends."""
    manifest = broken_driver("pause();")
    program = (
        "import sys; from vkzircon_cli.doctor.library import LibraryTrial; from vkzircon_cli.doctor.manifest import *\n"
        "LibraryTrial([sys.argv[1]], 60).loadings()"
    )
    library = str(json.loads(Path(manifest).read_text())["ICD"]["library_path"])
    doctor = subprocess.Popen([sys.executable, "-c", program, library])
    children = Path(f"/proc/{doctor.pid}/task/{doctor.pid}/children")
    until = time.monotonic() + 20
    while not (child := children.read_text().split()) and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.3)  # it has asked for its end by now
    doctor.send_signal(signal.SIGKILL)
    doctor.wait()
    while (alive := Path(f"/proc/{child[0]}/stat").exists()) and time.monotonic() < until:
        if Path(f"/proc/{child[0]}/stat").read_text().split()[2] == "Z":
            alive = False
            break
        time.sleep(0.02)
    assert not alive


def test_on_fuchsia_the_service_has_the_library(tmp_path: Path) -> None:
    """A name with a slash is not a path there: it is neither searched for nor loaded."""
    manifest = _naming(tmp_path / "driver.json", "lib/libvulkan_x.so")
    given = {"VK_DRIVER_FILES": str(manifest), "VKZIRCON_PLATFORM": "fuchsia"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VKZIRCON_PLATFORM", "fuchsia")
        where = Surroundings("fuchsia", False, given, 1.0)
        exams = examine_all(where).drivers
    assert exams[0].finding.outcome is Outcome.SKIP
    assert driver_findings(exams, where).outcome is Outcome.SKIP


def test_a_library_of_ld_library_path_that_does_not_fit_is_named(vkzircon: Run, tmp_path: Path) -> None:
    """The driver works without it: the variable and its folder are the cause, with the linker's message."""
    (tmp_path / "needed.c").write_text("int needed(void) { return 1; }")
    (tmp_path / "driver.c").write_text("int needed(void); int use(void) { return needed(); }")
    for version in (1, 2):
        (tmp_path / f"{version}.map").write_text(f"NEEDED_{version} {{ global: needed; }};")
    (tmp_path / "old").mkdir()
    for command in (
        ["-Wl,--version-script=2.map", "-o", "libneeded.so", "needed.c"],
        ["-o", "libdriver.so", "driver.c", "-L.", "-lneeded", f"-Wl,--enable-new-dtags,-rpath,{tmp_path}"],
        ["-Wl,--version-script=1.map", "-o", "old/libneeded.so", "needed.c"],
    ):
        subprocess.run(["cc", "-shared", "-fPIC", *command], cwd=tmp_path, check=True)
    manifest = _naming(tmp_path / "driver.json", "./libdriver.so")
    environ = {"VK_DRIVER_FILES": str(manifest), "LD_LIBRARY_PATH": str(tmp_path / "old")}
    ran = vkzircon("doctor", "--format", "json", **environ)
    (found,) = next(each for each in ran.json["findings"] if each["id"] == "drivers")["children"]
    assert (found["id"], found["command"]) == ("manifest.not-loaded", "unset LD_LIBRARY_PATH")
    assert "LD_LIBRARY_PATH puts" in found["cause"]
