# SPDX-License-Identifier: Apache-2.0
"""The program in a stand-in for a Fuchsia process: everything works except isolation, and the report says so."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from program import Ran, Run, environment

from vkzircon_cli.bindings.dynlib import LAYER_NAME
from vkzircon_cli.emulation import installation

STAND_IN = Path(__file__).with_name("fuchsia_process.py")
# On Fuchsia the loader is libvulkan.so, and libvulkan.so.1 does not exist.
HIDE_LOADER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
void *dlopen(const char *name, int flags) {
    void *(*next)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
    if (name != NULL && strcmp(name, "libvulkan.so.1") == 0) name = "/nonexistent/libvulkan.so.1";
    return next(name, flags);
}
"""

Process = Callable[..., Ran]


@pytest.fixture(name="fuchsia", scope="module")
def _fuchsia(lavapipe: str, layer: installation.Installation, tmp_path_factory: pytest.TempPathFactory) -> Process:
    """Run the program in the stand-in, with the layer over lavapipe."""
    folder = tmp_path_factory.mktemp("fuchsia")
    source, hide, libraries = folder / "hide.c", folder / "libhide.so", folder / "lib"
    source.write_text(HIDE_LOADER)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", hide, source, "-ldl"], check=True)
    libraries.mkdir()
    (libraries / "libzircon.so").symlink_to(layer.libzircon)
    env = {
        "LD_PRELOAD": str(hide),
        "LD_LIBRARY_PATH": str(libraries),
        "VK_DRIVER_FILES": lavapipe,
        "VK_ADD_LAYER_PATH": str(layer.manifest.parent),
        "VK_INSTANCE_LAYERS": LAYER_NAME,
        "VKZIRCON_PLATFORM": "fuchsia",
    }

    def run(*arguments: str, timeout: float = 60, **more: str) -> Ran:
        done = subprocess.run(
            [sys.executable, STAND_IN, *arguments],
            env=environment({**env, **more}),
            cwd="/",
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


def test_the_whole_report_comes_out(fuchsia: Process) -> None:
    """The loader opens by its Fuchsia name, libzircon by its soname; no check complains; stderr is empty."""
    ran = fuchsia("--format", "json")
    assert (ran.code, ran.err) == (0, "")
    report = ran.json
    assert report["loader"]["value"]["library"] == "libvulkan.so"
    assert report["kernel"]["value"]["library"] == "libzircon.so"
    assert report["environment"]["platform"] == "fuchsia"
    assert report["environment"]["isolated"] is False
    assert not [check["id"] for check in report["checks"] if check["outcome"] not in ("pass", "skip")]
    told = {check["id"]: check["sentence"] for check in report["checks"]}
    assert told["export.survives-channel"] == "Memory type 0: the handle arrives as it was sent."
    assert told["import.second-process"] == "Memory type 0: no second process can be forked here."


def test_a_person_is_told_that_nothing_is_isolated(fuchsia: Process) -> None:
    """The terminal report says that a driver's crash would end the run."""
    ran = fuchsia()
    assert (ran.code, ran.err) == (0, "")
    assert "not isolated" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("devices",),
        ("matrix",),
        ("bench", "--seconds", "0.5"),
        ("bench", "--seconds", "0.5", "--format", "json"),
        ("--help",),
        ("--version",),
        ("check", "--quiet"),
        ("explain", "04751"),
        ("explain",),
    ],
)
def test_every_command_works(fuchsia: Process, arguments: tuple[str, ...]) -> None:
    """No command needs what Fuchsia lacks."""
    ran = fuchsia(*arguments)
    assert (ran.code, ran.err) == (0, "")


def test_an_unwritable_place_is_exit_6(fuchsia: Process) -> None:
    """Only standard output can be written to: --output is exit 6."""
    ran = fuchsia("--output", "/report.txt")
    assert ran.code == 6
    assert "/report.txt" in ran.err


def test_a_hang_ends_at_the_limit_with_what_was_learned(fuchsia: Process, broken_driver: Callable[[str], str]) -> None:
    """Without fork a second thread enforces the timeout: exit code 5, and a complete report that names the step."""
    ran = fuchsia("--format", "json", "--timeout", "1", VK_DRIVER_FILES=broken_driver("for (;;) pause();"))
    assert ran.code == 5
    assert 1000 <= ran.json["run"]["steps"][-1]["duration_ms"] < 10_000
    assert ran.json["error"]["cause"] == "driver-hung"


@pytest.mark.parametrize("place", ["-", "/dev/stdout"])
def test_what_a_driver_prints_without_end_never_mixes_with_the_result(
    fuchsia: Process, broken_driver: Callable[[str], str], place: str
) -> None:
    """Its thread still prints while the document is written to standard output, under either of its names."""
    driver = broken_driver('for (;;) if (write(1, "A", 1) + write(2, "A", 1) < 0) break;')
    output = () if place == "-" else ("--output", place)
    ran = fuchsia("devices", "--format", "json", "--timeout", "0.5", *output, VK_DRIVER_FILES=driver)
    assert (ran.code, ran.json["error"]["cause"]) == (5, "driver-hung")
    assert ran.err.startswith("vkzircon: The driver hung")
    assert ran.json["run"]["output"]["text"].startswith("AAAA")


def test_a_driver_that_prints_much_is_not_late(
    fuchsia: Process, broken_driver: Callable[[str], str], lavapipe: str
) -> None:
    """Its output is read as it comes, so it does not block: 64 times as much as a pipe holds is no hang."""
    driver = broken_driver("static char text[65536]; for (int i = 0; i < 64; i++) write(1, text, 65536), usleep(2000);")
    ran = fuchsia("devices", "--format", "json", "--timeout", "2", VK_DRIVER_FILES=f"{driver}:{lavapipe}")
    assert (ran.code, ran.json["error"]) == (0, None)


def test_a_driver_that_calls_exit_is_no_pass(fuchsia: Process, broken_driver: Callable[[str], str]) -> None:
    """exit(0) in a call, or while the driver is loaded, is exit code 5 with a complete document."""
    ran = fuchsia("--format", "json", VKZIRCON_EMULATION="fault=exit-in-free")
    assert (ran.code, ran.json["summary"]["outcome"]) == (5, "crash")
    assert "the driver crashed in vkFreeMemory (it called exit)" in ran.json["summary"]["sentence"]
    missing = ran.json["devices"][0]["exports"][0]["handle"]["missing"]
    assert (missing["kind"], missing["call"]) == ("crashed", "vkFreeMemory")
    ran = fuchsia("--format", "trace", VKZIRCON_EMULATION="fault=exit-in-free")
    *_, end, _, done = map(json.loads, ran.out.splitlines())
    assert (ran.code, end["event"], done["event"]) == (5, "end", "done")
    assert end["answer"]["missing"] == missing
    for form in ("terminal", "markdown", "junit"):  # loading another library would wait for the linker's lock
        ran = fuchsia("--format", form, VK_DRIVER_FILES=broken_driver("exit(0);"))
        assert (ran.code, "it called exit" in " ".join(ran.out.split())) == (5, True)


def test_what_a_driver_writes_to_usual_descriptors_is_not_in_the_document(
    fuchsia: Process, broken_driver: Callable[[str], str], lavapipe: str
) -> None:
    """The copy of standard output has an unusual number while a driver runs in vkzircon's own process."""
    bad = broken_driver('for (int end = 3; end < 64; end++) if (write(end, "{}", 2) < 0) continue;')
    ran = fuchsia("devices", "--format", "json", VK_DRIVER_FILES=f"{bad}:{lavapipe}")
    assert (ran.code, ran.json["error"]) == (0, None)


@pytest.mark.parametrize("first", [0, 3])
def test_a_driver_that_closes_every_descriptor_is_no_fault_of_ours(
    vkzircon: Run, broken_driver: Callable[[str], str], tmp_path: Path, first: int
) -> None:
    """Without fork they are vkzircon's own: a result for a file is written, and one for standard output is exit 6."""
    env = {
        "VK_DRIVER_FILES": broken_driver(f"for (int end = {first}; end < 1024; end++) close(end);"),
        "VKZIRCON_PLATFORM": "fuchsia",
    }
    assert vkzircon("--output", "report.json", **env).code == 4
    assert json.loads((tmp_path / "report.json").read_text())["error"]["cause"] == "no-driver"
    assert vkzircon("--format", "json", **env).code == 6


def test_a_driver_that_calls_quick_exit_takes_the_run_along_but_is_no_pass(
    fuchsia: Process, broken_driver: Callable[[str], str]
) -> None:
    """A handler of quick_exit can only abort: there is no document, and the exit code is not 0."""
    assert fuchsia("--quiet", VK_DRIVER_FILES=broken_driver("quick_exit(0);")).code == -signal.SIGABRT


def test_a_crash_leaves_a_trace_that_says_where(
    fuchsia: Process, broken_driver: Callable[[str], str], tmp_path: Path, vkzircon: Run
) -> None:
    """A crash ends the process; the trace was written before the call, and `show` names the step."""
    ran = fuchsia("--format", "trace", VK_DRIVER_FILES=broken_driver("raise(SIGSEGV);"))
    assert ran.code == -11
    last = json.loads(ran.out.splitlines()[-1])
    assert (last["event"], last["step"]) == ("begin", "instance")
    trace = tmp_path / "trace"
    trace.write_text(ran.out)
    shown = vkzircon("show", str(trace))  # on the host
    assert shown.code == 5
    assert "The trace stops in step instance" in " ".join(shown.out.split())


@pytest.mark.parametrize("name", ["terminal", "json", "markdown", "junit", "trace"])
def test_a_device_needs_no_host_packages(fuchsia: Process, name: str) -> None:
    """Every format except HTML works without pydantic and jinja2, also with conditions."""
    ran = fuchsia("check", "--format", name, "--require", "platform=fuchsia")
    assert (ran.code, ran.err) == (0, "")
    assert "llvmpipe" in ran.out


def test_what_is_for_a_host_says_so(fuchsia: Process) -> None:
    """HTML and commands that read saved files name the missing package and the command that installs it."""
    needing = {("--format", "html"): "jinja2", ("show", "x"): "pydantic", ("schema",): "pydantic"}
    for arguments, package in needing.items():
        ran = fuchsia(*arguments)
        assert (ran.code, ran.out) == (4, "")
        assert f"pip install --upgrade {package}" in ran.err
        assert ran.err.count("\n") == 1


def test_doctor_examines_everything_without_a_worker(fuchsia: Process) -> None:
    """Without a worker the doctor still examines loader, access, drivers and devices; the services are not routed."""
    ran = fuchsia("doctor", "--format", "json")
    assert (ran.code, ran.err) == (1, "")
    told = {finding["id"]: finding for finding in ran.json["findings"]}
    assert told["loader"]["children"][0]["id"] == "loader.opened"
    assert told["access"]["children"][0]["id"] == "access.not-routed"
    assert told["drivers"]["outcome"] == "skip"
    assert ran.json["devices"]
