# SPDX-License-Identifier: Apache-2.0
"""Where the system refuses to fork, every command goes on without a worker and says so, or says why it cannot."""

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from program import PROGRAM, Ran, environment

import vkzircon_cli

# What a limit on the number of processes does, also to root: a filter answers EAGAIN to clone.
REFUSING = """
#include <errno.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#define NUMBER offsetof(struct seccomp_data, nr)
#define FLAGS offsetof(struct seccomp_data, args[0])
int main(int count, char **words) {
    /* A process is started by clone; a thread by clone3, or by clone with this flag. */
    unsigned spared = count > 1 && strcmp(words[1], "processes") == 0 ? CLONE_THREAD : 0;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, spared ? SYS_clone : SYS_clone3, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FLAGS),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, spared, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return 99;
    execv(words[2], words + 2);
    return 98;
}
"""
# A program under a filter that allows all, whose listener stays open.
LISTENING = """
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int count, char **words) {
    struct sock_filter filter[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    dup(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    execv(words[1], words + 1);
    return 98;
}
"""
# REFUSED has the numbers of the first and the last fork that are refused: without it, all but the first.
REFUSED_LATER = """
import errno, os, sys
forks = []
def refuse(name, _):
    if name == "os.fork":
        forks.append(name)
        first, last = map(int, os.environ.get("REFUSED", "2 99").split())
        if first <= len(forks) <= last:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
sys.addaudithook(refuse)
from vkzircon_cli.__main__ import main
main()
"""
X86_64 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="only x86_64 has these numbers of calls")
OTHER_NUMBERS = '__asm__ volatile("int $0x80" :: "a"(252), "b"(0));'  # exit_group(0), as 32-bit programs call it
BUSY = "Resource temporarily unavailable"

Refused = Callable[..., Ran]


@pytest.fixture(name="refusing", scope="session")
def _refusing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a program that runs another one under the filter."""
    folder = tmp_path_factory.mktemp("refusing")
    (folder / "refusing.c").write_text(REFUSING)
    subprocess.run(["cc", "-o", "refusing", "refusing.c"], cwd=folder, check=True)
    return folder / "refusing"


@pytest.fixture(name="refused")
def _refused(refusing: Path, lavapipe: str, tmp_path: Path) -> Refused:
    """Run the program where the system refuses new *processes*, or threads as well."""

    def run(*arguments: str, what: str = "processes", **env: str) -> Ran:
        done = subprocess.run(
            [refusing, what, PROGRAM, *arguments],
            env=environment({"VK_DRIVER_FILES": lavapipe, **env}),
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


def _says_so(document: dict[str, Any]) -> bool:
    said = [message["text"] for message in document["run"]["messages"] if message["severity"] == "warning"]
    assert document["environment"]["isolated"] is False
    return len(said) == 1 and said[0].startswith(f"No process could be started ({BUSY}), so the driver runs in")


@pytest.mark.parametrize("command", ["report", "check", "devices", "matrix", "bench", "doctor"])
@pytest.mark.usefixtures("layer")
def test_every_command_goes_on_without_a_process(refused: Refused, command: str) -> None:
    """The driver is asked in the main process: the result is the same, with a message that says so."""
    more = ("--seconds", "0.2", "--size", "64K") if command == "bench" else ()
    ran = refused(command, "--emulate", "--format", "json", *more)
    assert (ran.code, ran.err) == (0, "")
    assert _says_so(ran.json)
    assert ran.json["error"] is None
    if command == "doctor":
        drivers = next(each for each in ran.json["findings"] if each["id"] == "drivers")
        assert [child["id"] for child in drivers["children"]] == ["manifest.not-tried"]
    if command == "report":
        told = {check["id"]: check["sentence"] for check in ran.json["checks"]}
        assert told["import.second-process"] == "Memory type 0: no second process can be forked here."


def test_a_person_is_told_first(refused: Refused) -> None:
    """On a terminal it is the first line, even without other messages."""
    ran = refused("devices")
    assert (ran.code, ran.err) == (3, "")
    assert ran.out.startswith(f"! NOT ISOLATED  No process could be started ({BUSY})")


def test_a_bundle_has_all_but_the_loaders_log(refused: Refused, tmp_path: Path) -> None:
    """A second probe in this process would find the loader loaded already, and silent."""
    assert refused("bundle").code == 0
    with zipfile.ZipFile(tmp_path / "vkzircon-bundle.zip") as archive:
        assert _says_so(json.loads(archive.read("vkzircon-bundle/report.json")))
        assert "and none can be started here\n" in archive.read("vkzircon-bundle/CONTENTS.txt").decode()


@pytest.mark.parametrize("command", ["check", "doctor"])
def test_without_threads_nothing_can_be_asked(refused: Refused, command: str) -> None:
    """A driver that hangs would hang the run: exit code 4, the cause in a sentence, and a whole document."""
    ran = refused(command, "--format", "json", what="threads")
    assert ran.code == ran.json["summary"]["exit_code"] == 4
    assert ran.json["error"]["cause"] == "no-process"
    assert ran.json["error"]["message"] == f"No process and no thread can be started: {BUSY}."
    assert ran.err.startswith("vkzircon: No process and no thread can be started")
    assert ran.err.count("\n") == 1
    if command == "doctor":
        (found,) = next(each for each in ran.json["findings"] if each["id"] == "extension")["children"]
        assert (found["id"], found["command"]) == ("probe.no-process", "ulimit -a")


def test_a_driver_that_hangs_ends_at_the_limit(refusing: Path, broken_driver: Callable[[str], str]) -> None:
    """Exit code 5, and the progress on a terminal does not count as the driver's output."""
    controller, terminal = pty.openpty()
    command = [str(refusing), "processes", str(PROGRAM), "--format", "json", "--timeout", "2"]
    env = environment({"VK_DRIVER_FILES": broken_driver('puts("here"); fflush(stdout); pause();')})
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=terminal, timeout=60, check=False)
    document = json.loads(done.stdout)
    assert (done.returncode, document["error"]["cause"]) == (5, "driver-hung")
    assert document["run"]["output"]["text"] == "here\n"
    assert b"instance" in os.read(controller, 1 << 16)
    os.close(controller)
    os.close(terminal)


@pytest.mark.parametrize(
    ("command", "statement"),
    [
        ("check", "_exit(0);"),
        ("devices", "_exit(0);"),
        ("check", 'execl("/bin/true", "true", NULL);'),
        ("devices", 'execl("/bin/true", "true", NULL);'),
        pytest.param("devices", OTHER_NUMBERS, marks=X86_64),
        pytest.param("devices", "extern long syscall(long, ...); syscall(0x40000000 | 231, 0);", marks=X86_64),
    ],
)
def test_a_driver_that_leaves_by_a_system_call_is_no_pass(
    refusing: Path, broken_driver: Callable[[str], str], command: str, statement: str
) -> None:
    """Only vkzircon itself ends with code 0: the kernel holds the driver's thread, and the document names the calls."""
    words = [str(refusing), "processes", str(PROGRAM), command, "--format", "json"]
    env = environment({"VK_DRIVER_FILES": broken_driver(statement)})
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
    said = json.loads(done.stdout)["error"]
    assert (done.returncode, said["cause"]) == (5, "driver-crashed")
    assert said["message"].endswith("(it called _exit or exec).")


def test_where_a_container_has_the_only_listener_the_process_is_killed(
    refusing: Path, broken_driver: Callable[[str], str], tmp_path: Path
) -> None:
    """The kernel allows one listener in a chain of filters. The driver's own code 0 would be a pass."""
    (tmp_path / "listening.c").write_text(LISTENING)
    subprocess.run(["cc", "-o", "listening", "listening.c"], cwd=tmp_path, check=True)
    words = [str(tmp_path / "listening"), str(refusing), "processes", str(PROGRAM), "devices", "--quiet"]
    env = environment({"VK_DRIVER_FILES": broken_driver("_exit(0);")})
    done = subprocess.run(words, env=env, timeout=60, check=False)
    assert done.returncode == -signal.SIGSYS


def test_a_signal_handler_that_ends_the_process_is_no_pass_and_no_hang(
    refusing: Path, broken_driver: Callable[[str], str]
) -> None:
    """It runs in the main thread, which nothing could answer if it were held: the kernel kills the process."""
    driver = broken_driver("signal(SIGALRM, _exit); alarm(1); pause();")
    words = [str(refusing), "processes", str(PROGRAM), "devices", "--quiet"]
    done = subprocess.run(words, env=environment({"VK_DRIVER_FILES": driver}), timeout=60, check=False)
    assert done.returncode == -signal.SIGSYS


def test_a_driver_that_lets_no_file_be_opened_leaves_the_document(
    refusing: Path, broken_driver: Callable[[str], str]
) -> None:
    """Standard output cannot be restored under such a limit: the document is written to its copy."""
    lowers = "extern int setrlimit(int, const long *); long none[2] = {0, 0}; setrlimit(RLIMIT, none);"
    driver = broken_driver(lowers.replace("RLIMIT", str(int(resource.RLIMIT_NOFILE))))
    words = [str(refusing), "processes", str(PROGRAM), "devices", "--format", "json"]
    env = environment({"VK_DRIVER_FILES": driver})
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, json.loads(done.stdout)["error"]["exit_code"]) == (4, 4)
    assert "where the limit on open files leaves too few" in done.stderr


def test_a_driver_that_changes_the_folder_moves_no_result(
    refusing: Path, broken_driver: Callable[[str], str], tmp_path: Path
) -> None:
    """The folder and the mask of file modes are the driver's thread's own."""
    words = [str(refusing), "processes", str(PROGRAM), "devices", "--output", "here.json"]
    driver = broken_driver('extern int umask(int); umask(0777); if (chdir("/")) abort();')
    env = environment({"VK_DRIVER_FILES": driver})
    done = subprocess.run(words, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == json.loads((tmp_path / "here.json").read_text())["error"]["exit_code"] == 4
    assert (tmp_path / "here.json").stat().st_mode & 0o600 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_driver_that_changes_the_user_costs_no_document(
    refusing: Path, broken_driver: Callable[[str], str], lavapipe: str, tmp_path: Path
) -> None:
    """No file of ours may be readable afterwards: what the report needs is read before the driver is loaded."""
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "private" / "vkzircon_cli").symlink_to(Path(vkzircon_cli.__file__).parent)
    driver = broken_driver("if (setuid(65534)) abort();")
    main = "from vkzircon_cli.__main__ import main; main()"
    words = [str(refusing), "processes", sys.executable, "-S", "-c", main, "devices", "--format", "json"]
    env = environment(
        {"VK_DRIVER_FILES": f"{driver}:{lavapipe}", "PYTHONPATH": f"{tmp_path}/private:{sysconfig.get_path('purelib')}"}
    )
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, json.loads(done.stdout)["error"]) == (3, None)


def test_a_process_that_a_driver_forks_may_end_and_start_a_program(
    tmp_path: Path, broken_driver: Callable[[str], str]
) -> None:
    """The limit on processes may be reached only for a moment, so a driver may fork later."""
    statement = 'if (!fork()) { execl("/bin/true", "true", NULL); _exit(1); } extern int wait(int *); int s; wait(&s);'
    driver = broken_driver(f"{statement} if (!fork()) _exit(0); wait(&s); if (s) raise(SIGSEGV);")
    ran = _refused_later(tmp_path, "devices", "--format", "json", driver=driver, REFUSED="1 1")
    assert (ran.code, ran.json["error"]["cause"], ran.json["environment"]["isolated"]) == (4, "no-driver", False)


def _refused_later(tmp_path: Path, *arguments: str, driver: str, **env: str) -> Ran:
    command = [sys.executable, "-c", REFUSED_LATER, *arguments]
    env = environment({"VK_DRIVER_FILES": driver, **env})
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("command", ["report", "devices"])
def test_a_driver_that_crashed_in_a_worker_is_never_loaded_in_the_main_process(
    tmp_path: Path, broken_driver: Callable[[str], str], command: str
) -> None:
    """Where the second fork is refused, the report ends there, and blames only the crash that was seen."""
    ran = _refused_later(tmp_path, command, "--format", "json", driver=broken_driver("abort();"))
    assert ran.code == 5
    document = ran.json
    assert document["environment"]["isolated"] is True
    assert (document["error"]["cause"], document["culprits"]) == ("driver-crashed", [])
    said = [message["text"] for message in document["run"]["messages"]]
    assert f"no further process could be started ({BUSY}): the rest was not asked" in said


def test_a_search_for_which_there_is_no_process_is_told(
    tmp_path: Path, broken_driver: Callable[[str], str], lavapipe: str
) -> None:
    """The probe's workers start, but not the process in which each driver is loaded alone: no driver is named."""
    drivers = f"{broken_driver('abort();')}:{lavapipe}"
    ran = _refused_later(tmp_path, "devices", "--format", "json", driver=drivers, REFUSED="3 99")
    assert (ran.code, ran.json["error"]["cause"], ran.json["culprits"]) == (5, "driver-crashed", [])
    said = [message["text"] for message in ran.json["run"]["messages"]]
    assert said == ["No search for the culprit was made. No process can be started: the system refuses it."]


def test_parts_that_need_a_second_process_are_reported_as_missing(tmp_path: Path, lavapipe: str) -> None:
    """Doctor loads no library alone, and a bundle has no log: neither is a fault of the driver or of vkzircon."""
    ran = _refused_later(tmp_path, "doctor", "--format", "json", driver=lavapipe)
    assert ran.code == 0
    drivers = next(each for each in ran.json["findings"] if each["id"] == "drivers")
    assert f"no process can be started: {BUSY}." in drivers["children"][0]["sentence"]
    ran = _refused_later(tmp_path, "bundle", driver=lavapipe)
    assert (ran.code, ran.err) == (0, "")
    assert f"No process can be started: {BUSY}." in " ".join(ran.out.split())
