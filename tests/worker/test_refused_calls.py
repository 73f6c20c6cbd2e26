# SPDX-License-Identifier: Apache-2.0
"""A system call of our own that a sandbox refuses is neither a fault of ours nor of a driver: no 70, 5 or 1."""

import errno
import json
import subprocess
from pathlib import Path

import pytest
from program import PROGRAM, environment

from vkzircon_cli.saved.load import read

# Runs another program, for which the kernel answers an error to the named call.
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
static const struct { const char *name; unsigned number; } calls[] = {
    {"dup2", SYS_dup2}, {"getpid", SYS_getpid}, {"getppid", SYS_getppid}, {"prlimit64", SYS_prlimit64},
    {"pselect6", SYS_pselect6}, {"sched_getaffinity", SYS_sched_getaffinity}, {"setpgid", SYS_setpgid},
    {"wait4", SYS_wait4}, {"waitid", SYS_waitid},
    {"sendmsg", SYS_sendmsg}, {"recvmsg", SYS_recvmsg},
    {"getrandom", SYS_getrandom},
};
int main(int count, char **words) {
    unsigned number = 0;
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        if (count > 3 && strcmp(calls[i].name, words[1]) == 0) number = calls[i].number;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
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
