# SPDX-License-Identifier: Apache-2.0
"""`vkzircon emulate` for other programs: what it prints for shells and compilers, and what it leaves unchanged."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from program import PROGRAM, Run, environment

from vkzircon_cli.bindings.dynlib import LAYER_NAME
from vkzircon_cli.emulation import installation, launch
from vkzircon_cli.model.request import Emulate, Shell

EXAMPLE = Path(__file__).parents[1] / "layer" / "two_processes"
# What a shell could run, split, expand or print, and bytes that no terminal should see.
HOSTILE = (
    "it's",
    "$(touch hit) `touch hit` ; touch hit",
    "\"double\" 'single' \\ back\\slash\\",
    "new\nline",
    "!history ~ * ? [a-z] {a,b} #no",
    "\x1b[31mred\x07",
    "é \udcff\udc80 0f",
    "trailing\\",
)


def _shell(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, f".ci/setup installs {name}"
    return found


def _eval(shell: Shell) -> str:
    """Turn the emulation on as the help says, in an interactive shell."""
    given = f"{shlex.quote(str(PROGRAM))} emulate --print-env --fault export-zero"
    return f"{given} | source" if shell is Shell.FISH else f'eval "$({given})"'


@pytest.mark.parametrize("shell", list(Shell))
def test_vulkaninfo_finds_the_extension_in_a_shell(
    shell: Shell, lavapipe: str, layer: installation.Installation, tmp_path: Path
) -> None:
    """The printed lines, evaluated by the real shell, turn the emulation on for its programs."""
    assert layer.manifest.is_file()
    path = _shell(shell)
    env = environment({"VK_DRIVER_FILES": lavapipe, "SHELL": path, "HOME": str(tmp_path)})
    command = f"{_eval(shell)}; vulkaninfo; env"
    ran = subprocess.run([path, "-c", command], env=env, capture_output=True, cwd=tmp_path, text=True, check=True)
    assert "VK_FUCHSIA_external_memory " in ran.stdout
    assert "\nVKZIRCON_EMULATION=persona=strict,fault=export-zero\n" in ran.stdout


@pytest.mark.parametrize("shell", list(Shell))
@pytest.mark.parametrize("hostile", HOSTILE)
def test_values_come_through_a_shell_unharmed(
    shell: Shell, hostile: str, layer: installation.Installation, tmp_path: Path
) -> None:
    """The user's own layers and folders are kept with any name, and no name is run as a command."""
    env = environment({"VK_INSTANCE_LAYERS": hostile, "VK_LAYER_PATH": hostile, "HOME": str(tmp_path)})
    printed = subprocess.run(
        [PROGRAM, "emulate", "--print-env", "--shell", shell], env=env, capture_output=True, check=True
    ).stdout
    assert printed.isascii()
    assert set(range(32)) & set(printed) == {ord("\n")}
    say = f"import json, os; print(json.dumps([os.environ[n] for n in {['VK_INSTANCE_LAYERS', 'VK_LAYER_PATH']}]))"
    script = tmp_path / "script"
    script.write_bytes(printed + f"{sys.executable} -c {shlex.quote(say)}\n".encode())
    bare = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    ran = subprocess.run([_shell(shell), script], env=bare, capture_output=True, cwd=tmp_path, check=True)
    assert json.loads(ran.stdout) == [f"{hostile}:{LAYER_NAME}", f"{hostile}:{layer.manifest.parent}"]
    assert not (tmp_path / "hit").exists()


@pytest.mark.parametrize(
    ("path", "begins"),
    [("/usr/bin/fish", "set -gx "), ("/bin/zsh", "export "), ("/bin/ksh", "export "), (None, "export ")],
)
def test_the_users_own_shell_is_the_default(
    vkzircon: Run, layer: installation.Installation, path: str | None, begins: str
) -> None:
    """An unknown shell gets Bourne syntax."""
    assert layer.manifest.is_file()
    ran = vkzircon("emulate", "--print-env", SHELL=path)
    assert (ran.code, ran.err) == (0, "")
    assert all(line.startswith(begins) for line in ran.out.splitlines())


def test_what_is_on_already_is_not_turned_on_twice(layer: installation.Installation) -> None:
    """In a shell that evaluated --print-env, `vkzircon emulate` and --emulate still work, and change nothing."""
    folder = str(layer.manifest.parent)
    mine = {"VK_LAYER_PATH": "/mine", "VK_INSTANCE_LAYERS": "VK_LAYER_MINE", "LD_LIBRARY_PATH": "/lib/mine"}
    bare, once = launch.variables({}, Emulate()), {**mine, **launch.variables(mine, Emulate())}
    for already in (bare, once):
        assert {**already, **launch.variables(already, Emulate())} == already
    assert once["VK_LAYER_PATH"] == f"/mine:{folder}"
    assert once["LD_LIBRARY_PATH"] == f"{folder}:/lib/mine"
    assert once["VK_INSTANCE_LAYERS"] == f"VK_LAYER_MINE:{LAYER_NAME}"
    assert installation.variables(once, Emulate())["VK_INSTANCE_LAYERS"] == once["VK_INSTANCE_LAYERS"]


_INVALID_CALL = """
#include <vulkan/vulkan.h>
int main(void) {
    VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_1};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app};
    VkDeviceQueueCreateInfo queue = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, 0, 0, 0, 1, &(float){1}};
    const char *name = "VK_FUCHSIA_external_memory";
    VkDeviceCreateInfo create = {VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, 0, 0, 1, &queue, 0, 0, 1, &name};
    VkExportMemoryAllocateInfo export = {VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, 0, 0x800};
    VkMemoryAllocateInfo allocate = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, &export, 65536, 77};
    VkInstance instance; VkPhysicalDevice physical; VkDevice device; VkDeviceMemory memory; uint32_t one = 1;
    if (vkCreateInstance(&info, 0, &instance) || vkEnumeratePhysicalDevices(instance, &one, &physical) < 0 ||
        vkCreateDevice(physical, &create, 0, &device))
        return 1;
    return vkAllocateMemory(device, &allocate, 0, &memory) == VK_SUCCESS; // no memory type has this number
}
"""


def test_validation_sees_the_programs_own_calls(
    vkzircon: Run, lavapipe: str, layer: installation.Installation, tmp_path: Path
) -> None:
    """The emulation answers an invalid export itself, so a layer below it would see nothing."""
    assert layer.manifest.is_file()
    (tmp_path / "invalid.c").write_text(_INVALID_CALL)
    subprocess.run(["cc", "-w", tmp_path / "invalid.c", "-o", tmp_path / "invalid", "-lvulkan"], check=True)
    ran = vkzircon(
        "emulate",
        "--",
        str(tmp_path / "invalid"),
        VK_DRIVER_FILES=lavapipe,
        VK_INSTANCE_LAYERS="VK_LAYER_KHRONOS_validation",
    )
    assert ran.code == 0
    assert "VUID-vkAllocateMemory-pAllocateInfo-01714" in ran.out + ran.err


def test_signals_and_exit_codes_are_the_programs_own(layer: installation.Installation) -> None:
    """The program has this process's id: signals reach it directly."""
    assert layer.manifest.is_file()
    trap = "trap 'echo got it; exit 41' USR1; echo $$; while :; do sleep 0.01; done"
    command = [str(PROGRAM), "emulate", "--", "sh", "-c", trap]
    with subprocess.Popen(command, env=environment({}), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert int(running.stdout.readline()) == running.pid
        running.send_signal(signal.SIGUSR1)
        assert running.stdout.read() == "got it\n"
        assert running.wait(20) == 41


def test_programs_may_have_as_many_vmos_as_the_system_allows(layer: installation.Installation) -> None:
    """The soft limit of open files, often 1,024, would leave fewer than the 4,096 allocations that Vulkan promises."""
    assert layer.manifest.is_file()
    low = 'ulimit -S -n 200; exec "$0" emulate -- sh -c "ulimit -S -n; ulimit -H -n"'
    ran = subprocess.run(["sh", "-c", low, PROGRAM], env=environment({}), capture_output=True, text=True, check=True)
    soft, hard = ran.stdout.split()
    assert soft == hard


_PROBE = """
import resource
from vkzircon_cli.model.request import Request
from vkzircon_cli.worker.protocol import probe_events
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
for emulation in ({}, {"VKZIRCON_EMULATION": "persona=strict"}):
    list(probe_events(lambda: lambda *_: iter(()), Request(environ=emulation), print, {}))
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard)
"""


def test_only_the_probe_of_an_emulation_raises_the_limit_of_files() -> None:
    """Without the emulation a VMO is no file, and the process stays as it was started."""
    ran = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]


@pytest.mark.parametrize("name", ["SIGPIPE", "SIGXFSZ", "SIGINT", "SIGTERM", "SIGHUP"])
def test_no_signal_is_ignored_that_was_not(vkzircon: Run, layer: installation.Installation, name: str) -> None:
    """Python ignores some signals; the program must not inherit that."""
    assert layer.manifest.is_file()
    number = signal.Signals[name]
    assert vkzircon("emulate", "--", "sh", "-c", f"kill -{number:d} $$; exit 3").code == -number


@pytest.mark.parametrize("arguments", [("--", "true"), ("--print-env",)])
def test_a_filter_that_leaves_the_layer_out_is_told(
    vkzircon: Run, layer: installation.Installation, arguments: tuple[str, ...]
) -> None:
    """The program would run without the emulation, unnoticed."""
    assert layer.manifest.is_file()
    ran = vkzircon("emulate", *arguments, VK_LOADER_LAYERS_DISABLE="x,VK_LAYER_VKZIRCON*")
    assert (ran.code, ran.out) == (2, "")
    assert 'VK_LOADER_LAYERS_DISABLE is "x,VK_LAYER_VKZIRCON*", which turns the emulation off. Unset it.' in ran.err
    assert vkzircon("emulate", *arguments, VK_LOADER_LAYERS_DISABLE="x").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "There is no program to run"),
        (("--print-env", "--", "true"), "exclude each other"),
        (("--cflags", "--list"), "exclude each other"),
        (("--shell", "fish", "--", "true"), "Add --print-env"),
        (("--format", "json", "--", "true"), "Add --list"),
        (("--print-env", "--shell", "csh"), "csh"),
        (("--print-env", "--fault", "nope"), "vkzircon emulate --list"),
    ],
)
def test_what_makes_no_sense_is_refused(
    vkzircon: Run, layer: installation.Installation, arguments: tuple[str, ...], said: str
) -> None:
    """One sentence, exit code 2, and nothing on standard output."""
    assert layer.manifest.is_file()
    ran = vkzircon("emulate", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_the_flags_are_quoted_for_a_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder's name may contain spaces."""
    folder = tmp_path / "a folder"
    monkeypatch.setattr(
        installation, "find", lambda: installation.Installation(folder / "m.json", folder / "libzircon.so")
    )
    assert shlex.split(launch.build_flags(cflags=True, libs=False)) == [f"-I{folder}", "-DVK_USE_PLATFORM_FUCHSIA"]
    assert f"-L{folder}" in shlex.split(launch.build_flags(cflags=True, libs=True))


@pytest.fixture(name="example", scope="module")
def _example(layer: installation.Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the example as its first lines say, with the tested `vkzircon` in PATH."""
    assert layer.manifest.is_file()
    build = tmp_path_factory.mktemp("two_processes")
    # Ninja is among the test tools; CMake's own default, make, need not be there.
    env = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "CMAKE_GENERATOR": "Ninja"}
    for command in (["cmake", "-S", str(EXAMPLE), "-B", str(build)], ["cmake", "--build", str(build)]):
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "two_processes"


@pytest.mark.parametrize("layers", [None, f"{LAYER_NAME}:VK_LAYER_KHRONOS_validation"])
def test_the_example_shares_a_buffer_between_two_processes(
    vkzircon: Run, lavapipe: str, example: Path, layers: str | None
) -> None:
    """It is built against the emulation's headers, and needs only `vkzircon emulate --` in front."""
    ran = vkzircon("emulate", "--", str(example), VK_DRIVER_FILES=lavapipe, VK_INSTANCE_LAYERS=layers)
    assert (ran.code, ran.out) == (0, "65536 bytes went from one process to another and back.\n")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("import-elsewhere-refused", "vkAllocateMemory answered -1000072003"),
        ("channel-copies", "does not see what the second wrote"),
    ],
)
def test_the_example_fails_where_nothing_is_shared(
    vkzircon: Run, lavapipe: str, example: Path, fault: str, said: str
) -> None:
    """The example fails without the extension."""
    ran = vkzircon("emulate", "--fault", fault, "--", str(example), VK_DRIVER_FILES=lavapipe)
    assert ran.code == 1
    assert said in ran.err


_PAGE = """<pre></pre><script>
const gl = document.createElement("canvas").getContext("webgl"), pixel = new Uint8Array(4);
gl.clearColor(1, 0.5, 0, 1);
gl.clear(gl.COLOR_BUFFER_BIT);
gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
document.querySelector("pre").textContent = "pixel " + pixel.join(" ");
</script>"""
_RENDERS_WITH_VULKAN = ("--use-gl=angle", "--use-angle=vulkan", "--enable-features=Vulkan", "--ignore-gpu-blocklist")


def test_a_browser_renders_through_the_layer(lavapipe: str, layer: installation.Installation, tmp_path: Path) -> None:
    """A program with threads of its own: Chromium's WebGL, over ANGLE's Vulkan."""
    browser = shutil.which("chromium")
    assert browser, "the Debian package chromium is not installed"
    assert layer.manifest.is_file()
    (tmp_path / "page.html").write_text(_PAGE)
    options = ("--headless", "--no-sandbox", "--disable-gpu-sandbox", f"--user-data-dir={tmp_path}", "--dump-dom")
    command = [browser, *options, *_RENDERS_WITH_VULKAN, "--virtual-time-budget=5000", f"file://{tmp_path}/page.html"]
    env = environment({"VK_DRIVER_FILES": lavapipe, "HOME": str(tmp_path), "VK_LOADER_DEBUG": "layer"})
    ran = subprocess.run([PROGRAM, "emulate", "--", *command], env=env, capture_output=True, timeout=120, check=True)
    assert b"<pre>pixel 255 128 0 255</pre>" in ran.stdout
    assert f'Inserted device layer "{LAYER_NAME}"'.encode() in ran.stderr
