# SPDX-License-Identifier: Apache-2.0
"""What a sandbox or a limit refuses is reported as such, and never as a failure of the driver.

A refused fork is in tests/worker/test_refused_fork.py.
"""

import resource
import subprocess
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from program import PROGRAM, Ran, environment

# Runs a program with one system call refused, as a container's profile does.
REFUSING = """
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int count, char **words) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALL, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (count < 2 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return 99;
    execv(words[1], words + 1);
    return 98;
}
"""
NO_VMO = "The emulation cannot make a VMO here: "
JSON = ("--emulate", "--format", "json")

pytestmark = pytest.mark.usefixtures("layer")


@pytest.fixture(name="refusing", scope="module")
def _refusing(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Build the program that refuses a system call, and return its path."""
    folder = tmp_path_factory.mktemp("refusing")
    (folder / "refusing.c").write_text(REFUSING)

    def build(call: str) -> str:
        subprocess.run(["cc", f"-DCALL=SYS_{call}", "-o", call, "refusing.c"], cwd=folder, check=True)
        return str(folder / call)

    return build


def _ran(driver: str, before: Sequence[str], *arguments: str, limit: tuple[int, int] | None = None) -> Ran:
    """Run the program behind the command *before*, with a resource's *limit*."""
    done = subprocess.run(
        [*before, str(PROGRAM), *arguments],
        env=environment({"VK_DRIVER_FILES": driver}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
        preexec_fn=limit and partial(resource.setrlimit, limit[0], (limit[1], limit[1])),
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def _without(folder: str) -> list[str]:
    """Return the words that run a command with *folder* empty; skips where that is not permitted."""
    words = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o ro none {folder} && exec "$@"', "sh"]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system does not let a test mount anything")
    return words


@pytest.mark.parametrize(
    ("command", "call", "named"),
    [
        ("check", "memfd_create", "memfd_create"),
        ("doctor", "memfd_create", "memfd_create"),
        ("check", "pwrite64", "pwrite to a memfd"),
    ],
)
def test_without_memfds_there_is_no_emulation(
    refusing: Callable[[str], str], lavapipe: str, command: str, call: str, named: str
) -> None:
    """Exit code 4 with the refused call and the system's reason; the rest of doctor goes on."""
    ran = _ran(lavapipe, [refusing(call)], command, *JSON)
    message = f"{NO_VMO}{named}: Operation not permitted."
    assert (ran.code, ran.json["error"]["cause"], ran.json["error"]["message"]) == (4, "no-memfd", message)
    if command == "doctor":
        found = {each["id"]: each["outcome"] for each in ran.json["findings"]}
        assert (found["loader"], found["drivers"]) == ("pass", "pass")


def test_a_program_is_not_started_with_an_emulation_that_cannot_work(
    refusing: Callable[[str], str], lavapipe: str
) -> None:
    """The message comes before the program would run, because the program could not give the reason."""
    ran = _ran(lavapipe, [refusing("memfd_create")], "emulate", "--", "echo", "started")
    assert (ran.code, ran.out) == (4, "")
    assert "memfd_create: Operation not permitted" in ran.err


def test_a_limit_on_the_size_of_files_is_named(lavapipe: str) -> None:
    """A VMO is a file."""
    ran = _ran(lavapipe, [], "check", *JSON, limit=(resource.RLIMIT_FSIZE, 0))
    assert (ran.code, ran.json["error"]["message"]) == (4, f"{NO_VMO}ftruncate of a memfd: File too large.")
    assert "ulimit" in ran.json["error"]["hint"]


def test_without_socketpairs_only_channels_are_skipped(refusing: Callable[[str], str], lavapipe: str) -> None:
    """All other checks pass."""
    ran = _ran(lavapipe, [refusing("socketpair")], "check", *JSON)
    assert ran.code == 0
    skipped = {check["id"] for check in ran.json["checks"] if "zx_channel_create" in check["sentence"]}
    assert skipped == {"export.survives-channel", "import.second-process"}


def test_a_driver_that_may_not_start_threads_is_not_called_unfit(refusing: Callable[[str], str], lavapipe: str) -> None:
    """glibc starts threads with clone3; doctor gives the driver's result as evidence, and ends as check, with 4."""
    ran = _ran(lavapipe, [refusing("clone3")], "doctor", *JSON)
    assert (ran.code, ran.json["error"]["cause"], len(ran.json["devices"])) == (4, "limit", 1)
    assert ran.json["summary"]["sentence"].endswith("where the system refuses to start a thread.")
    found = {each["id"]: each for each in ran.json["findings"][-1]["children"]}
    assert (found["probe.limit"]["outcome"], found["extension.no-emulation"]["outcome"]) == ("fail", "skip")
    evidence = " ".join(found["extension.no-emulation"]["evidence"])
    assert "the driver creates no device, with the emulation or without it (VK_ERROR_" in evidence


def test_a_driver_that_the_limit_on_memory_keeps_out_is_not_called_broken(lavapipe: str) -> None:
    """The linker's message is only that it could not map the library."""
    ran = _ran(lavapipe, [], "doctor", limit=(resource.RLIMIT_AS, 150 << 20))
    said = " ".join(ran.out.split())
    assert "failed to map segment" in said
    assert "The limit on address space, 150 MiB, leaves too little room." in said
    assert "try: ulimit -v unlimited" in said


@pytest.mark.parametrize(("mebibytes", "is_blamed"), [(500, False), (8 << 10, True)])
def test_doctor_blames_a_crash_on_the_limit_only_where_it_leaves_too_little_room(
    broken_driver: Callable[[str], str], mebibytes: int, is_blamed: bool
) -> None:
    """A limit that leaves room for a driver is no excuse."""
    driver = broken_driver("raise(SIGSEGV);")
    ran = _ran(driver, [], "doctor", "--format", "json", limit=(resource.RLIMIT_AS, mebibytes << 20))
    (found,) = next(each for each in ran.json["findings"] if each["id"] == "drivers")["children"]
    assert (ran.code, found["id"]) == (4, "library.crashes")
    assert (ran.json["error"]["cause"] == "limit", "The limit on address space" in found["cause"]) == (
        not is_blamed,
    ) * 2
    assert [culprit["path"] for culprit in ran.json["culprits"]] == ([driver] if is_blamed else [])


def test_a_device_that_is_not_emulated_for_want_of_threads_is_no_verdict(
    refusing: Callable[[str], str], lavapipe: str
) -> None:
    """The driver starts threads where a device is created: exit code 4 and the cause, not 3 without one."""
    ran = _ran(lavapipe, [refusing("clone3")], "check", *JSON)
    assert (ran.code, ran.json["error"]["cause"], ran.json["culprits"]) == (4, "limit", [])
    assert ran.json["error"]["message"].endswith("with this driver, where the system refuses to start a thread.")


@pytest.mark.parametrize("mebibytes", [150, 215, 500])
def test_what_fails_under_a_limit_on_memory_is_not_blamed_on_the_driver(lavapipe: str, mebibytes: int) -> None:
    """Its library does not load, or it crashes, or is refused memory; with luck all goes well. Else it is the limit."""
    ran = _ran(lavapipe, [], "check", *JSON, limit=(resource.RLIMIT_AS, mebibytes << 20))
    bad = [check["id"] for check in ran.json["checks"] if check["outcome"] not in ("pass", "skip", "info")]
    assert (ran.json["culprits"], bad) == ([], [])
    if ran.code != 0 or mebibytes == 150:
        assert (ran.code, ran.json["error"]["cause"]) == (4, "limit")
        assert f", where the limit on address space, {mebibytes} MiB, leaves too " in ran.json["error"]["message"]
        assert "ulimit -v" in ran.json["error"]["hint"]


@pytest.mark.parametrize("files", [8, 12])
def test_a_limit_on_open_files_is_not_blamed_on_the_driver(lavapipe: str, files: int) -> None:
    """Where there are enough for the pipes of a process, the checks pass; else the refusal is named."""
    ran = _ran(lavapipe, [], "check", *JSON, limit=(resource.RLIMIT_NOFILE, files))
    refused = (4, "No process can be started: Too many open files.")
    assert (ran.code, ran.json["error"] and ran.json["error"]["message"]) == (refused if files == 8 else (0, None))
    assert ran.json["culprits"] == []


@pytest.mark.parametrize("statement", ["raise(SIGSEGV);", "exit(0);"])
def test_a_driver_that_crashes_with_room_enough_is_the_one_to_blame(
    broken_driver: Callable[[str], str], statement: str
) -> None:
    """A limit that leaves room for a driver is no excuse."""
    driver = broken_driver(statement)
    ran = _ran(driver, [], "check", "--format", "json", limit=(resource.RLIMIT_AS, 8 << 30))
    assert (ran.code, [culprit["path"] for culprit in ran.json["culprits"]]) == (5, [driver])


@pytest.mark.parametrize("folder", ["/proc", "/dev", "/dev/shm"])
def test_empty_system_folders_change_no_verdict(lavapipe: str, folder: str) -> None:
    """Without /proc, Vulkan is asked whether the layer is on; without /dev, there is no null device."""
    ran = _ran(lavapipe, _without(folder), "check", *JSON)
    assert (ran.code, ran.json["emulation"]["active"]) == (0, True)
    assert ran.json["error"] is None


def test_without_proc_doctor_does_not_call_what_it_cannot_see_unused(lavapipe: str) -> None:
    """The libraries that the loader keeps are not known then; a driver and a layer that work are no problem."""
    layer = "VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation"
    ran = _ran(lavapipe, [*_without("/proc"), "env", layer], "doctor", "--format", "json")
    found = {each["id"]: each for each in ran.json["findings"]}
    assert (ran.code, found["drivers"]["outcome"]) == (0, "pass")
    assert found["drivers"]["sentence"] == "1 of 1 driver manifests leads to a driver."
    assert {each["id"] for each in found["layers"]["children"]} <= {"layer.on", "layer.off"}
