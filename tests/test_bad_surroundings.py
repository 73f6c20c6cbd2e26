# SPDX-License-Identifier: Apache-2.0
"""If no driver can be asked, or no result written: one clear sentence, the right exit code, and no lost result."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from program import PROGRAM, Run, environment

from vkzircon_cli.emulation.installation import Installation

NO_VULKAN = {"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"}


def test_no_loader_names_what_was_tried(vkzircon: Run) -> None:
    """Without a loader the exit code is 4, and the linker's own message is reported, also in JSON."""
    ran = vkzircon("--format", "json", **NO_VULKAN)
    assert ran.code == ran.json["error"]["exit_code"] == ran.json["summary"]["exit_code"] == 4
    assert ran.json["error"]["cause"] == "no-loader"
    assert "/nonexistent/libvulkan.so: cannot open shared object file" in ran.json["error"]["message"]
    assert "libvulkan1" in vkzircon(**NO_VULKAN).out


def test_a_library_that_is_no_loader_is_said_to_be_none(vkzircon: Run) -> None:
    """A library without vkGetInstanceProcAddr is refused, and the message names that function."""
    ran = vkzircon(VKZIRCON_LIBVULKAN="libc.so.6")
    assert ran.code == 4
    assert "libc.so.6 has no vkGetInstanceProcAddr" in " ".join(ran.out.split())


def test_no_driver_names_the_variable_in_force(vkzircon: Run) -> None:
    """Without a driver the exit code is 4, and the hint names the variable that hides the drivers."""
    ran = vkzircon("--format", "json", VK_DRIVER_FILES="/nonexistent")
    assert ran.code == 4
    assert ran.json["error"]["cause"] == "no-driver"
    assert 'VK_DRIVER_FILES="/nonexistent"' in ran.json["error"]["hint"]


def test_no_driver_on_fuchsia_names_the_routes(vkzircon: Run) -> None:
    """On Fuchsia the hint is about the component's manifest, not about apt."""
    ran = vkzircon("--format", "json", VK_DRIVER_FILES="/nonexistent", VKZIRCON_PLATFORM="fuchsia")
    assert ran.code == 4
    for words in ("by which it uses fuchsia.vulkan.loader.Loader", "vulkan/client.shard.cml", "vulkan/offer.shard.cml"):
        assert words in ran.json["error"]["hint"]
    assert "fuchsia.sysmem2.Allocator" in ran.json["error"]["hint"]
    assert "apt" not in ran.json["error"]["hint"]


def test_a_corrupt_manifest_is_named(vkzircon: Run, tmp_path: Path) -> None:
    """A trailing comma stops an early loader with a misleading code; the hint names the file with any loader."""
    manifest = tmp_path / "comma.json"
    manifest.write_text('{"file_format_version": "1.0.0", "ICD": {"library_path": "/x.so",}}')
    ran = vkzircon("--format", "json", VK_DRIVER_FILES=str(manifest))
    assert ran.code == 4
    is_misled = "ERROR_OUT_OF_HOST_MEMORY" in ran.json["error"]["message"]
    assert ran.json["error"]["cause"] == ("bad-manifest" if is_misled else "no-driver")
    assert str(manifest) in ran.json["error"]["hint"]


def test_a_name_that_is_not_utf_8_is_escaped_in_every_format(vkzircon: Run, tmp_path: Path) -> None:
    r"""Such a byte is ``\\xNN`` on pages and in documents, in the name of a manifest, an output and an input."""
    folder = tmp_path / "b\udcffd"
    folder.mkdir()
    manifest = folder / "m\udcfe.json"
    manifest.write_text("{")
    for kind in ("terminal", "json", "html", "markdown", "junit", "trace"):
        to, variables = folder / f"to\udcfe.{kind}", {"VK_DRIVER_FILES": str(manifest), "COLUMNS": "200"}
        ran = vkzircon("--format", kind, "--output", str(to), **variables)
        written = to.read_text(encoding="utf-8", errors="strict")
        assert (ran.code, "\\udc" in written + ran.err) == (4, False)
        assert re.search(r"m\\{1,2}xfe\.json", written)
        if kind in ("json", "trace"):
            assert "m\\xfe.json" in vkzircon("show", str(to), COLUMNS="200").out
    doctor = vkzircon("doctor", "--format", "json", VK_DRIVER_FILES=str(manifest))
    assert {"b\\\\xffd/m\\\\xfe.json" in doctor.out, "\\udc" in doctor.out} == {True, False}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--output", "/no\udcff/x"), 6),
        (("show", "\udcff.json"), 2),
        (("\udcff",), 2),
        (("--format", "\udcff"), 2),
        (("--timeout", "\udcff"), 2),
        (("check", "--select", "\udcff"), 2),
        (("--agent", "/no\udcff"), 4),
        (("emulate", "--", "/no\udcff"), 2),
    ],
)
def test_an_argument_that_is_not_utf_8_is_escaped_in_the_message(
    vkzircon: Run, arguments: tuple[str, ...], code: int
) -> None:
    """In messages of vkzircon and in those of Typer."""
    ran = vkzircon(*arguments, **NO_VULKAN)
    assert (ran.code, "\\xff" in ran.out + ran.err, "\\udc" in ran.out + ran.err) == (code, True, False)


def test_a_missing_driver_library_is_told_in_the_loaders_words(vkzircon: Run, tmp_path: Path) -> None:
    """If the library of a manifest is missing, the report names the library."""
    manifest = tmp_path / "gone.json"
    manifest.write_text('{"file_format_version": "1.0.0", "ICD": {"library_path": "/gone.so", "api_version": "1.1.0"}}')
    ran = vkzircon(VK_DRIVER_FILES=str(manifest))
    assert ran.code == 4
    assert "/gone.so: cannot open shared object file" in " ".join(ran.out.split())


def test_a_device_without_the_extension_is_exit_3(vkzircon: Run, lavapipe: str) -> None:
    """Lavapipe lacks VK_FUCHSIA_external_memory: this is not a failure, and the report suggests --emulate."""
    ran = vkzircon(VK_DRIVER_FILES=lavapipe)
    assert (ran.code, ran.err) == (3, "")
    assert "VK_FUCHSIA_external_memory is not offered by llvmpipe" in " ".join(ran.out.split())
    assert "vkzircon --emulate" in ran.out


def test_a_layer_that_is_not_installed_is_not_taken_for_one_that_is_on(vkzircon: Run, lavapipe: str) -> None:
    """The loader silently ignores a missing layer; every format reports it."""
    env = {"VK_DRIVER_FILES": lavapipe, "VK_INSTANCE_LAYERS": "VK_LAYER_NOPE"}
    for form in ("terminal", "markdown", "html"):
        told = " ".join(vkzircon("--format", form, **env).out.replace("\\", "").replace("`", "").split())
        assert "VK_LAYER_NOPE (not installed)" in told


@pytest.mark.parametrize("selector", ["999", "-1", "no such card", "", "  ", "[red]\x1b[31m"])
def test_no_such_device_lists_the_candidates(vkzircon: Run, lavapipe: str, selector: str) -> None:
    """An unknown device is exit code 2 with a list of the devices, and nothing on stdout."""
    ran = vkzircon(f"--device={selector}", "--format", "json", VK_DRIVER_FILES=lavapipe)
    assert (ran.code, ran.out) == (2, "")
    assert "No device matches" in ran.err
    assert "0 (llvmpipe" in ran.err
    assert "\x1b" not in ran.err


def test_the_other_binding_is_told_from_ours(vkzircon: Run, tmp_path: Path) -> None:
    """A user's own vulkan.py that shadows the binding is named."""
    (tmp_path / "vulkan.py").write_text("answer = 42\n")
    ran = vkzircon("--format", "json", PYTHONPATH=str(tmp_path))
    assert ran.code == 4
    assert str(tmp_path / "vulkan.py") in ran.json["error"]["message"]


@pytest.mark.parametrize("package", ["vulkan", "_cffi_backend", "typer", "rich", "vkzircon_cli.render", "shlex"])
def test_a_missing_package_is_one_line(vkzircon: Run, tmp_path: Path, package: str) -> None:
    """Exit code 4 with one sentence, without a traceback; only a dependency is named for an installation by pip."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if (name + '.').startswith({package + '.'!r}): raise ModuleNotFoundError('blocked', name=name)\n"
        "sys.meta_path.insert(0, Block())\n"
    )
    ran = vkzircon(PYTHONPATH=str(tmp_path))
    assert ran.code == 4
    said = " ".join((ran.out + ran.err).split())
    if package in ("vkzircon_cli.render", "shlex"):
        assert "pip install" not in said
    else:
        assert f"pip install --upgrade {package.removeprefix('_').removesuffix('_backend')}" in said
    assert "Traceback" not in ran.out + ran.err


def test_a_full_disk_is_exit_6(vkzircon: Run) -> None:
    """A result that could not be written is exit code 6, never 0 or Python's 120, with one line."""
    for arguments in (("--format", "json"), (), ("--help",), ("--version",)):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [PROGRAM, *arguments], env=environment(NO_VULKAN), stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert done.returncode == 6
        assert b"No space left on device" in done.stderr
        assert done.stderr.count(b"\n") == 1
    assert vkzircon("--output", "/dev/full", **NO_VULKAN).code == 6


def test_a_closed_stdout_is_exit_6() -> None:
    """A standard output that was closed before the start cannot be written to."""
    script = f"exec {PROGRAM} --format json >&-"
    done = subprocess.run(["sh", "-c", script], env=environment(NO_VULKAN), stderr=subprocess.PIPE, check=False)
    assert done.returncode == 6
    assert b"standard output is closed" in done.stderr


@pytest.mark.parametrize("arguments", ["", "--format json", "--help", "--version"])
def test_a_reader_that_leaves_is_exit_141_and_silent(arguments: str) -> None:
    """A closed pipe is not a failed check: the exit code is that of SIGPIPE, and there is no output."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [PROGRAM, *arguments.split()],
        env=environment(NO_VULKAN),
        stdout=write_end,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, b"")


def test_output_is_written_whole_or_not_at_all(vkzircon: Run, tmp_path: Path) -> None:
    """--output leaves stdout empty, writes a temporary file and renames it; a missing folder is exit code 6."""
    target = tmp_path / "report.json"
    target.write_text("old")
    ran = vkzircon("--format", "json", "--output", str(target), **NO_VULKAN)
    assert (ran.code, ran.out) == (4, "")
    assert '"no-loader"' in target.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    for bad in (tmp_path / "gone" / "report.json", tmp_path):
        ran = vkzircon("--output", str(bad), **NO_VULKAN)
        assert ran.code == 6
        assert str(bad) in ran.err


def test_quiet_prints_nothing(vkzircon: Run) -> None:
    """With --quiet only the exit code has the result."""
    ran = vkzircon("check", "--quiet", **NO_VULKAN)
    assert (ran.code, ran.out, ran.err) == (4, "", "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors_change_no_verdict(lavapipe: str, closed: str) -> None:
    """A service may start the program with closed standard descriptors: no other file may get their numbers."""
    script = f"exec {PROGRAM} check --quiet {closed}"
    env = environment({"VK_DRIVER_FILES": lavapipe})
    assert subprocess.run(["sh", "-c", script], env=env, check=False).returncode == 3


def test_escape_sequences_never_reach_a_terminal(vkzircon: Run) -> None:
    """Escape sequences in a variable or a path are escaped on stdout and stderr."""
    hostile = "/x\x1b[31m\x9b\u202e.so"
    for env in ({"VKZIRCON_LIBVULKAN": hostile}, {"VK_DRIVER_FILES": hostile}, {"VKZIRCON_LIBZIRCON": hostile}):
        for arguments in ((), ("--format", "json"), ("--output", f"/gone{hostile}")):
            ran = vkzircon(*arguments, **env)
            assert not set(ran.out + ran.err) & set("\x1b\x9b\u202e")


def test_a_library_may_have_any_name(vkzircon: Run, lavapipe: str, layer: Installation, tmp_path: Path) -> None:
    """One that is not UTF-8 is shown with escapes, and costs no event of the probe."""
    library = tmp_path / "lib\udc92zircon.so"
    library.symlink_to(layer.libzircon)
    ran = vkzircon("devices", "-f", "json", VK_DRIVER_FILES=lavapipe, VKZIRCON_LIBZIRCON=str(library))
    assert ran.json["kernel"]["value"]["library"] == f"{tmp_path}/lib\\x92zircon.so"
    assert "Refused" not in ran.out


_LIAR = """
#include <stdint.h>
#include <string.h>
static int32_t none(void) { return 0; }
static int32_t version(uint32_t *version) { return *version = 1 << 22 | 1 << 12, 0; }
static void properties(void *device, uint32_t *properties) { version(properties); }
static int32_t create(const void *info, const void *allocator, void **made) { return *made = &made, 0; }
static int32_t devices(void *instance, uint32_t *count, void **list) {
    if (list) list[0] = instance;
    return *count = 1, 0;
}
static int32_t extensions(void *device, const char *layer, uint32_t *count, char *list) {
    if (list) strcpy(list, "VK_FUCHSIA_external_memory");
    return *count = 1, 0;
}
static void families(void *device, uint32_t *count, void *list) { *count = UINT32_MAX; }
void (*vkGetInstanceProcAddr(void *instance, const char *name))(void) {
    if (!strcmp(name, "vkEnumerateInstanceVersion")) return (void (*)(void))version;
    if (!strcmp(name, "vkGetPhysicalDeviceProperties")) return (void (*)(void))properties;
    if (!strcmp(name, "vkCreateInstance")) return (void (*)(void))create;
    if (!strcmp(name, "vkEnumeratePhysicalDevices")) return (void (*)(void))devices;
    if (!strcmp(name, "vkEnumerateDeviceExtensionProperties")) return (void (*)(void))extensions;
    if (!strcmp(name, "vkGetPhysicalDeviceQueueFamilyProperties")) return (void (*)(void))families;
    return (void (*)(void))none;
}
"""


def test_a_driver_that_counts_four_billion_queues_is_reported(vkzircon: Run, tmp_path: Path) -> None:
    """A wrong count neither takes memory nor causes an internal error."""
    (tmp_path / "liar.c").write_text(_LIAR)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "liar.so", "liar.c"], cwd=tmp_path, check=True)
    ran = vkzircon("check", "-f", "json", VKZIRCON_LIBVULKAN=str(tmp_path / "liar.so"))
    assert ran.code in (1, 3)
    assert len(ran.json["devices"][0]["opened"]["value"]["queue_families"]) == 1000


def test_the_home_folder_is_nowhere(vkzircon: Run, tmp_path: Path) -> None:
    """No path, message or sentence contains the home folder, because reports are published."""
    home = tmp_path / "jane.doe"
    home.mkdir()
    (home / "gone.json").write_text(
        '{"file_format_version": "1.0.0", "ICD": {"library_path": "' + str(home) + '/x.so"}}'
    )
    (home / "comma.json").write_text("{,}")
    as_json = ("--format", "json")
    for arguments, variable, name in (
        (as_json, "VKZIRCON_LIBVULKAN", "x.so"),
        (as_json, "VKZIRCON_LIBZIRCON", "x.so"),
        (as_json, "VK_DRIVER_FILES", "gone.json"),
        (as_json, "VK_DRIVER_FILES", "comma.json"),
        (("--verbose",), "VK_DRIVER_FILES", "comma.json"),
        (("--format", "trace"), "VK_DRIVER_FILES", "comma.json"),
    ):
        ran = vkzircon(*arguments, HOME=str(home), USER="jane.doe", **{variable: f"{home}/{name}"})
        assert ran.code == 4
        assert "jane.doe" not in ran.out + ran.err
        assert "~/" in ran.out


def test_only_listed_variables_are_read(vkzircon: Run) -> None:
    """No other variable of the environment, which may be a secret, enters a report."""
    ran = vkzircon("--format", "json", AWS_SECRET_ACCESS_KEY="hunter2", VK_FOO="hunter2", **NO_VULKAN)
    assert "hunter2" not in ran.out


def test_an_unknown_platform_is_refused(vkzircon: Run) -> None:
    """VKZIRCON_PLATFORM has two valid values."""
    ran = vkzircon(VKZIRCON_PLATFORM="windows")
    assert (ran.code, ran.out) == (2, "")
    assert "fuchsia or linux" in ran.err


def test_hardly_any_environment_is_enough(lavapipe: str) -> None:
    """A service's environment may lack HOME, PATH and TERM; the report is complete."""
    done = subprocess.run(
        [PROGRAM, "--format", "json"], env={"VK_DRIVER_FILES": lavapipe}, cwd="/", capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (3, b"")


_FAULTY_IMPORT = """
import sys
class Finder:
    def find_spec(self, name, *_):
        if name == "vkzircon_cli.cli.run":
            raise RuntimeError("the moon\\x1b[31m is full")
sys.meta_path.insert(0, Finder())
from vkzircon_cli.__main__ import main
main()
"""


def test_a_fault_of_our_own_is_a_line_and_a_trace_on_request(lavapipe: str) -> None:
    """An internal error is exit code 70 and one line with a request to report it; a variable adds the traceback."""
    command, env = [sys.executable, "-c", _FAULTY_IMPORT, "check"], {"VK_DRIVER_FILES": lavapipe}
    plain = subprocess.run(command, env=environment(env), capture_output=True, text=True, check=False)
    assert (plain.returncode, plain.stdout, len(plain.stderr.splitlines())) == (70, "", 1)
    assert "A fault of vkzircon's own: RuntimeError: the moon\\x1b[31m is full. Please report it" in plain.stderr
    asked = environment({**env, "VKZIRCON_TRACEBACK": "1"})
    traced = subprocess.run(command, env=asked, capture_output=True, text=True, check=False)
    assert "Traceback (most recent call last)" in traced.stderr


_NO_MODULE = """
import sys
class Finder:
    def find_spec(self, name, *_):
        if name == "vkzircon_cli.errors":
            raise PermissionError(13, "Permission denied", "errors\\x1b[31m.py")
sys.meta_path.insert(0, Finder())
from vkzircon_cli.__main__ import main
main()
"""


def test_a_module_that_cannot_be_read_is_a_line_too(lavapipe: str) -> None:
    """The modules that word an error cannot be imported: exit code 70, one line, no escape sequence, no traceback."""
    command, env = [sys.executable, "-c", _NO_MODULE, "check"], environment({"VK_DRIVER_FILES": lavapipe})
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (70, "")
    assert done.stderr.startswith("vkzircon: A fault of vkzircon's own: PermissionError: ")
    assert (done.stderr.count("\n"), "\x1b" in done.stderr) == (1, False)
