# SPDX-License-Identifier: Apache-2.0
"""A driver or layer that keeps all devices from being probed is named and left out, and the good driver is reported."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from program import Run

from vkzircon_cli.doctor.manifest_bisect import fatal_manifests
from vkzircon_cli.doctor.search import surroundings

Broken = Callable[[str], str]
GOOD_NAME = "llvmpipe"


def _shared(report: Any) -> bool:
    return bool(GOOD_NAME in report["summary"]["sentence"] and report["summary"]["exit_code"] == 0)


@pytest.fixture(name="gives_up", scope="session")
def _gives_up(lavapipe: str, tmp_path_factory: pytest.TempPathFactory) -> bool:
    """Ask whether the loader gives up on all drivers because of one malformed manifest, as 1.3.239 does."""
    bad = tmp_path_factory.mktemp("bad") / "bad.json"
    bad.write_text("{")
    env = {"PATH": os.environ["PATH"], "HOME": "/dev/null", "VK_DRIVER_FILES": f"{bad}:{lavapipe}"}
    ran = subprocess.run(["vulkaninfo", "--summary"], env=env, capture_output=True, check=False)
    return b"deviceName" not in ran.stdout


_COMMA = b'{"file_format_version": "1.0.0",\n "ICD": {"library_path": "x.so", "api_version": "1.1.0",}}'


@pytest.mark.parametrize(
    ("command", "content", "said"),
    [
        ("report", _COMMA, ":2:56)"),
        ("check", _COMMA, ":2:56)"),
        ("devices", _COMMA, ":2:56)"),
        ("devices", b"\xef\xbb\xbf{}", "byte-order mark"),
        ("devices", b'{"file_format_version": ', "ends in the middle"),
        (
            "devices",
            b'{"file_format_version": "1.0.0", "ICD": {"library_path": 5, "api_version": "1.1.0"}}',
            "is not a text",
        ),
    ],
)
def test_a_manifest_that_stops_the_loader_is_left_out(
    vkzircon: Run, lavapipe: str, gives_up: bool, tmp_path: Path, *, command: str, content: bytes, said: str
) -> None:
    """File, line and column are named, and the report of the good driver has its own verdict.

    A later loader passes over the file itself, and no culprit is searched for.
    """
    bad = tmp_path / "bad.json"
    bad.write_bytes(content)
    ran = vkzircon(command, "--emulate", "--format", "json", VK_DRIVER_FILES=f"{bad}:{lavapipe}")
    assert (ran.code, ran.err) == (0, "")
    assert GOOD_NAME in ran.json["summary"]["sentence"]
    assert len(ran.json["culprits"]) == gives_up
    for culprit in ran.json["culprits"]:
        assert (culprit["kind"], culprit["left_out"]) == ("driver", True)
        assert str(bad) in culprit["sentence"].replace("~", str(Path.home()))
        assert said in culprit["sentence"]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("raise(SIGSEGV);", "crashes when it is loaded (SIGSEGV)"),
        ("exit(3);", "ends the program"),
        ("pause();", "hangs"),
    ],
)
def test_a_driver_that_dies_or_hangs_on_loading_is_left_out(
    vkzircon: Run, lavapipe: str, broken_driver: Broken, statement: str, said: str
) -> None:
    """The good driver beside it shares memory, after few timeouts."""
    began = time.monotonic()
    bad = broken_driver(statement)
    ran = vkzircon("--emulate", "--format", "json", "--timeout", "1", VK_DRIVER_FILES=f"{bad}:{lavapipe}")
    assert ran.code == 0
    assert _shared(ran.json)
    (culprit,) = ran.json["culprits"]
    assert said in culprit["sentence"]
    assert time.monotonic() - began < 20


DRIVER = """
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
static int create_instance(const void *info, const void *allocator, void **instance) {
    (void)info; (void)allocator; (void)instance;
    %s
    return -3;
}
static int extensions(const char *layer, unsigned *count, void *properties) {
    (void)layer; (void)properties;
    *count = 0;
    return 0;
}
void *vk_icdGetInstanceProcAddr(void *instance, const char *name) {
    (void)instance;
    if (strcmp(name, "vkCreateInstance") == 0) return (void *)create_instance;
    if (strcmp(name, "vkEnumerateInstanceExtensionProperties") == 0) return (void *)extensions;
    return NULL;
}
int vk_icdNegotiateLoaderICDInterfaceVersion(unsigned *version) { *version = 2; return 0; }
"""


@pytest.fixture(name="late_driver")
def _late_driver(tmp_path: Path) -> Broken:
    """Build a driver that loads, and fails in vkCreateInstance."""

    def build(statement: str) -> str:
        source, library, manifest = tmp_path / "late.c", tmp_path / "late.so", tmp_path / "late.json"
        source.write_text(DRIVER % statement)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        body = {"file_format_version": "1.0.0", "ICD": {"library_path": str(library), "api_version": "1.0.0"}}
        manifest.write_text(json.dumps(body))
        return str(manifest)

    return build


@pytest.mark.parametrize(
    ("statement", "said"),
    [("raise(SIGSEGV);", "crashes in vkCreateInstance (SIGSEGV)"), ("pause();", "hangs in vkCreateInstance")],
)
def test_a_driver_that_fails_later_is_found_by_trying(
    vkzircon: Run, lavapipe: str, late_driver: Broken, statement: str, said: str
) -> None:
    """Its library loads, so only the loader with each driver alone shows which one fails."""
    bad = late_driver(statement)
    ran = vkzircon("--emulate", "--format", "json", "--timeout", "1", VK_DRIVER_FILES=f"{bad}:{lavapipe}")
    assert ran.code == 0
    assert _shared(ran.json)
    (culprit,) = ran.json["culprits"]
    assert said in culprit["sentence"]
    assert bad in culprit["sentence"].replace("~", str(Path.home()))


@pytest.fixture(name="implicit")
def _implicit(tmp_path: Path, broken_driver: Broken) -> Callable[[str], dict[str, str]]:
    """Install an implicit layer in the home folder whose library fails when it is loaded."""

    def install(statement: str) -> dict[str, str]:
        folder = tmp_path / ".local" / "share" / "vulkan" / "implicit_layer.d"
        folder.mkdir(parents=True, exist_ok=True)
        library = json.loads(Path(broken_driver(statement)).read_text())["ICD"]["library_path"]
        layer = {
            "name": "VK_LAYER_TEST_bad",
            "type": "GLOBAL",
            "library_path": library,
            "api_version": "1.1.0",
            "implementation_version": "1",
            "description": "does harm",
            "disable_environment": {"DISABLE_TEST_BAD": "1"},
        }
        (folder / "bad.json").write_text(json.dumps({"file_format_version": "1.0.0", "layer": layer}))
        return {"HOME": str(tmp_path)}

    return install


@pytest.mark.parametrize("statement", ["raise(SIGSEGV);", "pause();"])
def test_an_implicit_layer_that_does_harm_is_turned_off(
    vkzircon: Run, lavapipe: str, implicit: Callable[[str], dict[str, str]], statement: str
) -> None:
    """It is named with the switch that turns it off, and the driver is probed without it."""
    env = {**implicit(statement), "VK_DRIVER_FILES": lavapipe}
    ran = vkzircon("--emulate", "--format", "json", "--timeout", "1", **env)
    assert ran.code == 0
    assert _shared(ran.json)
    (culprit,) = ran.json["culprits"]
    assert culprit["kind"] == "layer"
    assert culprit["command"] == "export DISABLE_TEST_BAD=1"
    assert vkzircon("--emulate", "--format", "json", **env, DISABLE_TEST_BAD="1").json["culprits"] == []


HANGING_VERSION = """
#include <unistd.h>
int version(void *chain, unsigned *version) { (void)chain; (void)version; for (;;) pause(); }
void (*vkGetInstanceProcAddr(void *instance, const char *name))(void) { (void)instance; (void)name; return 0; }
"""


def test_a_layer_that_hangs_in_the_loaders_own_version_is_left_out(
    vkzircon: Run, lavapipe: str, implicit: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    """The loader calls an implicit layer before there is an instance; neither loader nor driver is blamed."""
    env = {**implicit(""), "VK_DRIVER_FILES": lavapipe}
    (tmp_path / "hanging.c").write_text(HANGING_VERSION)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "hanging.so", "hanging.c"], cwd=tmp_path, check=True)
    (manifest,) = tmp_path.rglob("bad.json")
    body = json.loads(manifest.read_text())
    body["file_format_version"] = "1.1.2"
    body["layer"] |= {"library_path": str(tmp_path / "hanging.so")}
    body["layer"] |= {"pre_instance_functions": {"vkEnumerateInstanceVersion": "version"}}
    manifest.write_text(json.dumps(body))
    ran = vkzircon("doctor", "--format", "json", "--timeout", "1", **env)
    (culprit,) = ran.json["culprits"]
    assert (culprit["kind"], culprit["left_out"]) == ("layer", True)
    assert "hung in vkEnumerateInstanceVersion" in culprit["sentence"]
    assert culprit["command"] == "export DISABLE_TEST_BAD=1"
    found = {each["id"]: each["outcome"] for each in ran.json["findings"]}
    assert (ran.code, len(ran.json["devices"]), found["loader"]) == (1, 1, "pass")


def test_a_broken_layer_manifest_is_left_out_with_its_folder(
    vkzircon: Run, lavapipe: str, gives_up: bool, tmp_path: Path
) -> None:
    """The loader reads it first; if it gives up, the search is led past it."""
    folder = tmp_path / ".local" / "share" / "vulkan" / "implicit_layer.d"
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text('{"layer": }')
    env = {"HOME": str(tmp_path), "VK_DRIVER_FILES": lavapipe}
    ran = vkzircon("--emulate", "--format", "json", **env)
    assert ran.code == 0
    assert ["broken.json:1:11" in culprit["sentence"] for culprit in ran.json["culprits"]] == [True] * gives_up
    text = vkzircon("--emulate", **env).out
    assert ("LEFT OUT" in text.partition("Machine")[0]) == gives_up


_LAYER = """{"file_format_version": "1.0.0", "layer": {"name": "VK_LAYER_%s", "type": "GLOBAL", "api_version": "1.3.0",
 "library_path": "lib.so", "implementation_version": "1", "description": "", "disable_environment": {"N": "1"}}%s}"""
_FATAL = {
    "a key twice": ', "component_layers": ["x"], "component_layers": {}',
    "deep": f', "x": {"[" * 500_000}{"]" * 500_000}',
}


@pytest.mark.parametrize("how", _FATAL)
def test_a_manifest_that_kills_the_loader_is_found_among_many(
    vkzircon: Run, lavapipe: str, tmp_path: Path, how: str
) -> None:
    """Its text is JSON, and no switch turns it off: the loader dies while it reads. No driver or loader is blamed."""
    folder = tmp_path / "vulkan" / "implicit_layer.d"
    folder.mkdir(parents=True)
    for number in range(20):
        (folder / f"{number}.json").write_text(_LAYER % (number, _FATAL[how] if number == 13 else ""))
    env = {"HOME": "/nonexistent", "XDG_DATA_HOME": str(tmp_path), "VK_DRIVER_FILES": lavapipe}
    given = {"PATH": os.environ["PATH"], **env}
    has_died = subprocess.run(["vulkaninfo", "--summary"], env=given, capture_output=True, check=False).returncode < 0
    ran = vkzircon("doctor", "--format", "json", **env)
    culprits = [(each["path"], each["left_out"]) for each in ran.json["culprits"]]
    assert culprits == [(str(folder / "13.json"), True)] * has_died
    assert all("the process crashed" in each["sentence"] for each in ran.json["culprits"])
    found = {each["id"]: each["outcome"] for each in ran.json["findings"]}
    assert (len(ran.json["devices"]), found["loader"], found["drivers"]) == (1, "pass", "pass")


@pytest.mark.parametrize("killers", [(), ("3",), ("0", "4")])
def test_no_manifest_is_blamed_for_one_that_was_not_examined(tmp_path: Path, killers: tuple[str, ...]) -> None:
    """Of a folder with very many, some are not examined. A loader that lives with all links was killed by another."""
    folder = tmp_path / "vulkan" / "implicit_layer.d"
    paths = [str(folder / f"{number}.json") for number in range(5)]

    def lives(changed: Mapping[str, str]) -> bool:
        return not any(link.readlink().stem in killers for link in Path(changed["XDG_DATA_HOME"]).rglob("*.json"))

    found = fatal_manifests(paths, surroundings(1.0, {"XDG_DATA_HOME": str(tmp_path)}), lives)
    assert found == tuple(str(folder / f"{number}.json") for number in killers)


def test_without_a_good_driver_the_cause_is_named(vkzircon: Run, tmp_path: Path) -> None:
    """Exit 4 names the file and what is wrong with it, and points to doctor."""
    bad = tmp_path / "bad.json"
    bad.write_text(
        '{"file_format_version": "1.0.0", "ICD": {"library_path": "/nonexistent/x.so", "api_version": "1.1.0"}}'
    )
    ran = vkzircon("devices", "--format", "json", VK_DRIVER_FILES=str(bad))
    assert ran.code == 4
    assert "names /nonexistent/x.so, which does not exist" in ran.json["error"]["hint"]
    assert "vkzircon doctor" in ran.json["error"]["hint"]


def test_a_trace_tells_it_all_and_shows_the_same(
    vkzircon: Run, lavapipe: str, broken_driver: Broken, tmp_path: Path
) -> None:
    """The stream has the first probe, the culprit and the second probe; the result is that of the second."""
    env = {"VK_DRIVER_FILES": f"{broken_driver('raise(SIGSEGV);')}:{lavapipe}"}
    assert vkzircon("--emulate", "--format", "trace", "--output", "trace", **env).code == 0
    kinds = [json.loads(line)["event"] for line in (tmp_path / "trace").read_text().splitlines()]
    assert kinds.index("culprit") < kinds.index("again") < kinds.index("done")
    shown = vkzircon("show", "trace", "--format", "json")
    assert shown.code == 0
    assert _shared(shown.json)
    assert shown.json["culprits"][0]["left_out"]


@pytest.mark.parametrize(
    ("fault", "happened"),
    [
        ("abort-in-load", "the driver crashed in vkCreateInstance (SIGABRT)"),
        (
            "hang-in-create-instance",
            "the driver hung in vkCreateInstance (no answer within 1 s; --timeout allows more time)",
        ),
        (
            "hang-in-enumerate-devices",
            "the driver hung in vkEnumeratePhysicalDevices (no answer within 1 s; --timeout allows more time)",
        ),
    ],
)
def test_the_emulation_itself_may_be_to_blame(emulated: Run, fault: str, happened: str) -> None:
    """It is named, by report and by doctor, in a run that is marked as emulated; no driver is suspected."""
    ran = emulated("--fault", fault, "--timeout", "1", "--format", "json")
    assert ran.code == 5
    assert ran.json["emulation"]["active"]
    (culprit,) = ran.json["culprits"]
    assert (culprit["kind"], culprit["left_out"]) == ("layer", False)
    assert culprit["sentence"] == (
        f"VK_LAYER_VKZIRCON_external_memory, the emulation, is the cause: {happened}, which does not happen without it."
    )
    assert culprit["sentence"] in ran.json["error"]["hint"]
    diagnosis = emulated("doctor", "--fault", fault, "--timeout", "1", "--format", "json")
    assert diagnosis.code == 4
    assert culprit["sentence"] in diagnosis.json["summary"]["sentence"]
    assert "suspect" not in diagnosis.out
    assert "libvulkan1" not in diagnosis.out


def test_a_layer_that_needs_a_device_is_left_out_where_there_is_none(emulated: Run) -> None:
    """Mesa's device-select layer crashes on an empty list; without it the real reason shows."""
    ran = emulated("--fault", "no-device", "--format", "json")
    assert (ran.code, ran.json["error"]["cause"]) == (4, "no-device")
    (culprit,) = ran.json["culprits"]
    assert culprit["left_out"]
    assert culprit["sentence"].startswith("VK_LAYER_MESA_device_select, an implicit layer (")
    assert culprit["sentence"].endswith(", and without it it reports no device.")
    assert "device_select" not in ran.json["error"]["hint"]
    diagnosis = emulated("doctor", "--fault", "no-device", "--format", "json").json
    none = "No Vulkan device can be used, so VK_FUCHSIA_external_memory cannot be emulated."
    assert diagnosis["summary"]["sentence"] == f"{none} The driver reports no device."


@pytest.mark.parametrize("fault", ["segfault-in-device-properties", "segfault-in-device-extensions"])
def test_a_layer_in_which_a_driver_dies_is_not_to_blame(emulated: Run, fault: str) -> None:
    """Mesa's layer queries devices while they are listed: without it the driver crashes later, and that is reported."""
    for command in ("devices", "report"):
        ran = emulated(command, "--fault", fault, "--format", "json")
        assert ran.code == 5
        assert ran.json["devices"]
        assert all("is the cause:" not in culprit["sentence"] for culprit in ran.json["culprits"])
    diagnosis = emulated("doctor", "--fault", fault, "--format", "json")
    assert "device_select" not in diagnosis.json["summary"]["sentence"]
    assert diagnosis.json["summary"]["outcome"] == "crash"


SLOW_ONCE = """
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
static void *find(const char *name) { return dlsym(dlopen(LAVAPIPE, RTLD_NOW), name); }
int vk_icdNegotiateLoaderICDInterfaceVersion(unsigned *version) {
    /* Not in doctor's own trial of the loader, which runs beside the probe with the loader's log on. */
    if (!getenv("VK_LOADER_DEBUG") && open(FLAG, O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0) pause();
    return ((int (*)(unsigned *))find("vk_icdNegotiateLoaderICDInterfaceVersion"))(version);
}
void *vk_icdGetInstanceProcAddr(void *instance, const char *name) {
    return ((void *(*)(void *, const char *))find("vk_icdGetInstanceProcAddr"))(instance, name);
}
"""
HARMLESS = """
struct negotiation { int type; void *next; unsigned version; void *instance; void *device; void *physical; };
typedef void *(*lookup)(void *, const char *);
struct link { struct link *next; lookup instance; lookup physical; };
struct create { int type; const struct create *next; int function; struct link *links; };
static lookup next;
static int create_instance(const void *info, const void *allocator, void **instance) {
    struct create *chain = (struct create *)((const struct create *)info)->next;
    while (chain->type != 47 || chain->function != 0) chain = (struct create *)chain->next;
    next = chain->links->instance;
    chain->links = chain->links->next;
    return ((int (*)(const void *, const void *, void **))next(0, "vkCreateInstance"))(info, allocator, instance);
}
void *vkGetInstanceProcAddr(void *instance, const char *name) {
    const char *own = "vkCreateInstance";
    int same = 0;
    while (name[same] && name[same] == own[same]) same++;
    return !name[same] && !own[same] ? (void *)create_instance : next ? next(instance, name) : 0;
}
"""
ABORTING = """
#include <stdlib.h>
int vkNegotiateLoaderLayerInterfaceVersion(void *version) { (void)version; abort(); }
"""


def _library(path: Path, source: str, *options: str) -> str:
    path.with_suffix(".c").write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", *options, "-o", path, path.with_suffix(".c")], check=True)
    return str(path)


@pytest.fixture(name="once_slow")
def _once_slow(tmp_path: Path, lavapipe: str) -> str:
    """Put a driver before lavapipe's that hangs the first time only."""
    found = json.loads(Path(lavapipe).read_text())["ICD"]
    names = (f'-DLAVAPIPE="{found["library_path"]}"', f'-DFLAG="{tmp_path / "flag"}"')
    library = _library(tmp_path / "once.so", SLOW_ONCE, *names)
    manifest = tmp_path / "once.json"
    manifest.write_text(json.dumps({"file_format_version": "1.0.0", "ICD": {**found, "library_path": library}}))
    return str(manifest)


@pytest.fixture(name="aborting")
def _aborting(tmp_path: Path) -> Path:
    """Install an explicit layer that aborts where it is used, beside a harmless one."""
    layer = {
        "name": "VK_LAYER_TEST_aborting",
        "type": "GLOBAL",
        "library_path": _library(tmp_path / "aborting.so", ABORTING),
        "api_version": "1.1.0",
        "implementation_version": "1",
        "description": "aborts",
    }
    manifest = tmp_path / "layers" / "aborting.json"
    manifest.parent.mkdir()
    manifest.write_text(json.dumps({"file_format_version": "1.0.0", "layer": layer}))
    harmless = layer | {"name": "VK_LAYER_TEST_a_harmless", "library_path": _library(tmp_path / "good.so", HARMLESS)}
    (manifest.parent / "a.json").write_text(json.dumps({"file_format_version": "1.0.0", "layer": harmless}))
    return manifest


def test_a_failure_that_does_not_recur_has_no_culprit(vkzircon: Run, once_slow: str) -> None:
    """A driver that was slow once is probed again unchanged, and reported."""
    ran = vkzircon("--emulate", "--format", "json", "--timeout", "2", VK_DRIVER_FILES=once_slow)
    assert ran.json["culprits"] == []
    assert ran.code == 0
    assert _shared(ran.json)
    (message,) = [each for each in ran.json["run"]["messages"] if "first attempt" in each["text"]]
    assert "(no answer within 2 s; --timeout allows more time); it did not happen again." in message["text"]


def test_doctor_warns_of_what_passed(vkzircon: Run, once_slow: str) -> None:
    """An occasional failure is a problem, though nothing is wrong at the moment."""
    ran = vkzircon("doctor", "--format", "json", "--timeout", "2", VK_DRIVER_FILES=once_slow)
    assert (ran.code, ran.json["summary"]["outcome"]) == (1, "warn")
    assert ran.json["summary"]["sentence"].startswith("The first attempt failed: the driver hung in ")


def test_a_layer_that_a_filter_turned_on_is_found(vkzircon: Run, lavapipe: str, aborting: Path) -> None:
    """No driver is the cause, and none of two good drivers is named."""
    env = {"VK_DRIVER_FILES": f"{lavapipe}:{lavapipe}", "VK_ADD_LAYER_PATH": str(aborting.parent)}
    ran = vkzircon("devices", "--format", "json", **env, VK_LOADER_LAYERS_ENABLE="*TEST_abort*")
    (culprit,) = ran.json["culprits"]
    assert culprit["sentence"].startswith("VK_LAYER_TEST_aborting, an explicit layer (")
    assert culprit["left_out"]
    assert ran.code == 3


@pytest.mark.parametrize("pattern", ["*TEST_*", "VK_LAYER_*"])
def test_a_filter_that_turned_on_several_hides_no_culprit(
    vkzircon: Run, lavapipe: str, aborting: Path, pattern: str
) -> None:
    """The harmless layer that comes first stays on, and only the other is named."""
    env = {"VK_DRIVER_FILES": lavapipe, "VK_ADD_LAYER_PATH": str(aborting.parent), "VK_LOADER_LAYERS_ENABLE": pattern}
    ran = vkzircon("devices", "--format", "json", **env, VK_LOADER_LAYERS_DISABLE="*KHRONOS*,*MESA*,*INTEL*")
    assert [culprit["sentence"].split(",")[0] for culprit in ran.json["culprits"]] == ["VK_LAYER_TEST_aborting"]
    assert "is the cause: the driver crashed in" in ran.json["culprits"][0]["sentence"]
    assert ran.code == 3


def test_drivers_that_a_filter_leaves_out_are_not_to_blame(vkzircon: Run, lavapipe: str) -> None:
    """The variable is named in the report's hint and is doctor's only failure."""
    env = {"VK_DRIVER_FILES": lavapipe, "VK_LOADER_DRIVERS_SELECT": "nv*"}
    ran = vkzircon("devices", "--format", "json", **env)
    assert (ran.code, ran.json["culprits"]) == (4, [])
    assert 'VK_LOADER_DRIVERS_SELECT="nv*": it leaves out every driver' in ran.json["error"]["hint"]
    diagnosis = vkzircon("doctor", "--format", "json", **env).json
    said = 'No Vulkan device can be used. VK_LOADER_DRIVERS_SELECT leaves out every driver: it is "nv*".'
    assert diagnosis["summary"]["sentence"] == said


def test_a_healthy_machine_has_no_culprit(emulated: Run) -> None:
    """No search is made where nothing is wrong."""
    assert emulated("--format", "json").json["culprits"] == []
