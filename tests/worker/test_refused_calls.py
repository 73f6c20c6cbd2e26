# SPDX-License-Identifier: Apache-2.0
"""A system call of our own that a sandbox refuses is neither a fault of ours nor of a driver: no 70, 5 or 1."""

import errno
import json
import os
import subprocess
from pathlib import Path

import pytest
from program import PROGRAM, environment

from vkzircon_cli.saved.load import read

# Runs another program. The named call returns an error; with CALL@N, only if its first argument is N.
DENYING = """
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifndef SYS_dup2
#define SYS_dup2 SYS_dup3
#endif
#ifndef SYS_access
#define SYS_access SYS_faccessat
#endif
static const struct { const char *name; unsigned number; } calls[] = {
    {"dup2", SYS_dup2}, {"getpid", SYS_getpid}, {"getppid", SYS_getppid}, {"prlimit64", SYS_prlimit64},
    {"pselect6", SYS_pselect6}, {"sched_getaffinity", SYS_sched_getaffinity}, {"setpgid", SYS_setpgid},
    {"wait4", SYS_wait4}, {"waitid", SYS_waitid},
    {"sendmsg", SYS_sendmsg}, {"recvmsg", SYS_recvmsg},
    {"getrandom", SYS_getrandom}, {"access", SYS_access}, {"lseek", SYS_lseek}, {"munmap", SYS_munmap},
    {"getuid", SYS_getuid}, {"write", SYS_write},
};
int main(int count, char **words) {
    unsigned number = 0;
    char *first = count > 3 ? strchr(words[1], '@') : NULL;
    if (first) *first++ = 0;
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        if (count > 3 && strcmp(calls[i].name, words[1]) == 0) number = calls[i].number;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, first ? 16 : 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first ? (unsigned)atoi(first) : number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)atoi(words[2])),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (number == 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return 99;
    execv(words[3], words + 3);
    return 98;
}
"""


@pytest.fixture(name="denying", scope="module")
def _denying(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program."""
    folder = tmp_path_factory.mktemp("denying")
    (folder / "denying.c").write_text(DENYING)
    subprocess.run(["cc", "-o", "denying", "denying.c"], cwd=folder, check=True)
    return folder / "denying"


@pytest.mark.usefixtures("layer")
@pytest.mark.parametrize(
    ("call", "code"),
    [
        *(("sched_getaffinity", 0), ("setpgid", 0), ("prlimit64", 0), ("getpid", 0), ("getppid", 0), ("wait4", 0)),
        *(("sendmsg", 0), ("recvmsg", 0)),  # without them the emulation makes no channel, and its checks skip
        *(("dup2", 4), ("pselect6", 4), ("waitid", 4)),
    ],
)
def test_a_refused_call_is_no_fault(denying: Path, lavapipe: str, tmp_path: Path, call: str, code: int) -> None:
    """What can go on without the call goes on; the rest is exit code 4, a document, and the system's reason."""
    command = [
        str(denying),
        call,
        str(errno.EPERM),
        str(PROGRAM),
        "check",
        "--emulate",
        "--format",
        "json",
        "--output",
        "report.json",
    ]
    env = environment({"VK_DRIVER_FILES": lavapipe})
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    report = read(tmp_path / "report.json")
    assert report.culprits == ()
    if code:
        said = json.loads((tmp_path / "report.json").read_text())["error"]
        assert said["cause"] == "no-process"
        assert "system refuses a call" in said["message"]


def test_doctor_without_random_numbers_goes_on(denying: Path, lavapipe: str) -> None:
    """There is no key for the frames of another process, and so no process; a document says so."""
    command = [str(denying), "getrandom", str(errno.EAGAIN), str(PROGRAM), "doctor", "--format", "json"]
    env = environment({"VK_DRIVER_FILES": lavapipe})
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, json.loads(done.stdout)["error"]["cause"]) == (4, "no-process")


@pytest.mark.usefixtures("layer")
@pytest.mark.parametrize("command", ["check", "doctor"])
@pytest.mark.parametrize("call", ["access", "lseek", "munmap"])
def test_what_fails_without_a_call_is_not_blamed_on_the_driver(
    denying: Path, lavapipe: str, command: str, call: str
) -> None:
    """The loader or the driver fails or crashes without the call: the cause is `limit`, and the message names it."""
    words = [str(denying), call, str(errno.ENOSYS), str(PROGRAM), command, "--emulate", "--format", "json"]
    env = environment({"VK_DRIVER_FILES": lavapipe})
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
    document = json.loads(done.stdout)
    assert document["culprits"] == []
    if call == "lseek" and document["error"] is None:  # the loader of Debian 13 does without it
        assert done.returncode == 0
        return
    assert (done.returncode, document["error"]["cause"]) == (4, "limit")
    assert document["error"]["message"].endswith(f", where the system refuses the system call {call}.")
    assert document["error"]["message"] in document["summary"]["sentence"]
    assert document["error"]["hint"] == f"Try: allow {call} in the sandbox."


@pytest.mark.parametrize("reason", [errno.EPERM, errno.ENOSYS])
def test_an_id_that_is_not_told_is_no_raised_privilege(denying: Path, lavapipe: str, reason: int) -> None:
    """libc returns the error as if it were the id, but the loader still reads the environment."""
    words = [str(denying), "getuid", str(reason), str(PROGRAM), "doctor", "--format", "json"]
    env = environment({"VK_DRIVER_FILES": lavapipe})
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, json.loads(done.stdout)["environment"]["elevated"]) == (0, False)


@pytest.mark.parametrize("reason", [errno.EPERM, errno.EAGAIN])
def test_a_result_that_may_not_be_written_is_exit_6(denying: Path, lavapipe: str, reason: int) -> None:
    """EAGAIN from each call is an error too, if poll reports each time that the descriptor is writable."""
    words = [str(denying), "write@1", str(reason), str(PROGRAM), "devices"]
    env = environment({"VK_DRIVER_FILES": lavapipe})
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=20, check=False)
    said = f"vkzircon: The result could not be written to standard output: {os.strerror(reason)}."
    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr == f"{said} Choose another place: --output FILE.\n"


def test_without_any_write_the_exit_code_alone_says_so(denying: Path, lavapipe: str) -> None:
    """Neither a document nor a message can be written, and the exit code is not that of a verdict."""
    words = [str(denying), "write", str(errno.EAGAIN), str(PROGRAM), "check"]
    env = environment({"VK_DRIVER_FILES": lavapipe})
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (4, "", "")
