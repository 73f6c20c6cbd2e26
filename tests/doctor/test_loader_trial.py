# SPDX-License-Identifier: Apache-2.0
"""The verdict on each driver and layer is what the opened loader did, independent of the wording of its log."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from program import Run

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.loader_trial import Asked, Tried
from vkzircon_cli.doctor.manifest import Manifest, ManifestExam, ManifestKind
from vkzircon_cli.doctor.manifest_check import driver_findings, examine_all
from vkzircon_cli.doctor.search import Surroundings
from vkzircon_cli.doctor.verdict import NOT_TRIED, verdict

# A driver that loads; what it is asked then depends on what is defined.
DRIVER = r"""
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#ifndef VERSION
#define VERSION 0
#endif
#ifndef RESULT
#define RESULT 0
#endif
#ifndef SLEEP
#define SLEEP 0
#endif
static int create_instance(const void *info, const void *allocator, void **instance) {
    (void)info; (void)allocator; (void)instance;
    fputs("example: libneeded.so.1 is not there\n", stderr);
    return RESULT;
}
static int extensions(const char *layer, unsigned *count, void *properties) {
    (void)layer; (void)properties;
    *count = 0;
    return 0;
}
void *vk_icdGetInstanceProcAddr(void *instance, const char *name) {
    (void)instance;
    if (RESULT && strcmp(name, "vkCreateInstance") == 0) return (void *)create_instance;
    if (RESULT && strcmp(name, "vkEnumerateInstanceExtensionProperties") == 0) return (void *)extensions;
    return NULL;
}
int vk_icdNegotiateLoaderICDInterfaceVersion(unsigned *version) {
    usleep(SLEEP);
    if (*version > 5) *version = 5;
    return VERSION;
}
"""
FAILS = {"no-create": "-DRESULT=0", "refuses": "-DVERSION=-9", "fails-3": "-DRESULT=-3", "fails-9": "-DRESULT=-9"}
Driver = Callable[[str], str]


@pytest.fixture(name="driver")
def _driver(tmp_path: Path) -> Driver:
    """Build a driver with a definition, and return its manifest."""

    def build(define: str) -> str:
        library, manifest, source = tmp_path / "libd.so", tmp_path / "d.json", tmp_path / "d.c"
        source.write_text(DRIVER)
        subprocess.run(["cc", "-shared", "-fPIC", define, "-o", library, source], check=True)
        icd = {"library_path": str(library), "api_version": "1.1.0"}
        manifest.write_text(json.dumps({"file_format_version": "1.0.0", "ICD": icd}))
        return str(manifest)

    return build


def _where(**environ: str) -> Surroundings:
    return Surroundings("linux", False, environ, 5.0)


@pytest.mark.parametrize("fails", FAILS)
def test_a_driver_that_loads_and_does_not_work_is_named(
    fails: str, driver: Driver, loader: dict[str, str], lavapipe: str
) -> None:
    """It is a failure alone, a warning beside a good driver; a line of the loader or the driver is the evidence."""
    bad = driver(FAILS[fails])
    for beside, outcome in (("", Outcome.FAIL), (f":{lavapipe}", Outcome.WARN)):
        where = _where(VK_DRIVER_FILES=f"{bad}{beside}", **loader)
        exams = examine_all(where).drivers
        tree = driver_findings(exams, where)
        found = next(child for child in tree.children if child.subject == bad)
        assert (found.id, found.outcome) == ("manifest.not-used", outcome)
        assert "vkCreateInstance returns VK_ERROR_INCOMPATIBLE_DRIVER" in found.sentence
        line = "example: libneeded.so.1 is not there" if "fails" in fails else "libd.so"
        assert any(line in each for each in found.evidence)
        assert sum(exam.is_usable for exam in exams) == bool(beside)


def test_the_first_line_names_a_driver_that_fails(vkzircon: Run, driver: Driver, lavapipe: str) -> None:
    """It used to be "4 of 4 lead to a driver", although the loader left one out."""
    bad = driver("-DRESULT=-9")
    ran = vkzircon("doctor", "--format", "json", VK_DRIVER_FILES=f"{bad}:{lavapipe}")
    assert (ran.code, ran.json["summary"]["outcome"]) == (1, "warn")
    drivers = next(each for each in ran.json["findings"] if each["id"] == "drivers")
    assert drivers["sentence"] == "1 of 2 driver manifests leads to a driver."
    assert bad in ran.json["summary"]["sentence"].replace("~", str(Path.home()))


def test_a_driver_is_tried_where_settings_add_others(
    driver: Driver, newer: dict[str, str], lavapipe: str, tmp_path: Path
) -> None:
    """The loader then lists a device with any driver, so a device does not show that the named driver works."""
    bad = driver("-DRESULT=-9")
    settings = {"additional_drivers": [{"path": lavapipe}]}
    path = tmp_path / ".local/share/vulkan/loader_settings.d/vk_loader_settings.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"file_format_version": "1.0.0", "settings": settings}))
    exams = examine_all(_where(VK_DRIVER_FILES=bad, HOME=str(tmp_path), **newer)).drivers
    assert {exam.manifest.path: exam.finding.id for exam in exams} == {
        bad: "manifest.not-used",
        lavapipe: "manifest.fine",
    }


def test_a_driver_that_only_settings_name_is_tried_too(
    vkzircon: Run, driver: Driver, newer: dict[str, str], tmp_path: Path
) -> None:
    """It is the culprit, not the settings, unless these leave out a driver that works."""
    bad = driver("-DRESULT=-9")
    path = tmp_path / ".local/share/vulkan/loader_settings.d/vk_loader_settings.json"
    path.parent.mkdir(parents=True)
    settings = {"additional_drivers_use_exclusively": True, "additional_drivers": [{"path": bad}]}
    path.write_text(json.dumps({"file_format_version": "1.0.0", "settings": settings}))
    for found, kinds in (("/nonexistent.json", {"driver"}), (None, {"settings"})):
        ran = vkzircon("doctor", "--format", "json", HOME=str(tmp_path), VK_DRIVER_FILES=found, **newer)
        drivers = next(each for each in ran.json["findings"] if each["id"] == "drivers")["children"]
        (told,) = [each for each in drivers if each["subject"] == "~/d.json"]
        assert (told["id"], told["outcome"]) == ("manifest.not-used", "fail")
        assert "libneeded.so.1 is not there" in "".join(told["evidence"])
        assert {each["kind"] for each in ran.json["culprits"]} == kinds


def test_a_driver_that_is_mapped_before_is_not_called_unused(
    vkzircon: Run, loader: dict[str, str], lavapipe: str
) -> None:
    """LD_PRELOAD maps it before the loader runs, so that its pages show nothing."""
    library = json.loads(Path(lavapipe).read_text())["ICD"]["library_path"]
    ran = vkzircon("doctor", "--format", "json", VK_DRIVER_FILES=lavapipe, LD_PRELOAD=library, **loader)
    drivers = next(each for each in ran.json["findings"] if each["id"] == "drivers")
    assert drivers["sentence"] == "1 of 1 driver manifests leads to a driver."
    mapped = Tried("VK_SUCCESS", ("/a/x.so",), earlier=("/a/x.so",))
    assert Asked(CONTROL, mapped).loads("/a/x.so") is None


def test_a_path_that_no_variable_can_name_is_not_tried_alone(
    driver: Driver, loader: dict[str, str], lavapipe: str, tmp_path: Path
) -> None:
    """A good driver stays good, with the reason; one that fails is judged by the run with all drivers."""
    folder = tmp_path / "icd.d"
    folder.mkdir()
    for source, outcome in ((lavapipe, Outcome.PASS), (driver("-DRESULT=-9"), Outcome.FAIL)):
        (folder / "x:y.json").write_text(Path(source).read_text())
        (exam,) = examine_all(_where(VK_DRIVER_FILES=str(folder), **loader)).drivers
        assert exam.finding.outcome is outcome
        assert ("no variable of the loader can name a path with ':'" in exam.finding.cause) == exam.is_usable


def test_a_slow_driver_is_waited_for(driver: Driver, loader: dict[str, str]) -> None:
    """The first process has little patience, so that a hang costs little; the result does not depend on it."""
    bad = driver("-DSLEEP=1300000")
    asked = examine_all(_where(VK_DRIVER_FILES=bad, **loader)).asked
    assert asked.whole is not None
    assert asked.whole.result == asked.alone[bad].result == "VK_ERROR_INCOMPATIBLE_DRIVER"


def _exam(kind: ManifestKind, *, works: bool) -> ManifestExam:
    own = Finding("own", "/a/x.json", Outcome.PASS if works else Outcome.FAIL, "Our own reading.")
    manifest = Manifest("/a/x.json", kind, name="VK_LAYER_x", library="./x.so", resolved="/a/./x.so")
    return ManifestExam(manifest, works, False, None if kind is ManifestKind.DRIVER else works, own)


CONTROL = Tried("VK_ERROR_INCOMPATIBLE_DRIVER", ("/lib/libc.so.6",))
WHOLE = Tried(
    "VK_SUCCESS", ("/lib/libc.so.6", "/a/x.so"), ("<4> rejected: VK_LAYER_x in file /a/./x.so", "~> /a/x.json")
)


@pytest.mark.parametrize("works", [True, False])
def test_the_log_of_an_unknown_loader_is_read_by_its_paths(works: bool) -> None:
    """Prefixes, order and sentences differ; the evidence is a line that names the file and does more than list it."""
    log = ("<7> /a/x.json", "<4> rejected: (pas de pilote) /a/./x.so", "libx: no such device here")
    asked = Asked(CONTROL, WHOLE, {"/a/x.json": Tried("VK_ERROR_INCOMPATIBLE_DRIVER", (), log)})
    told = verdict(_exam(ManifestKind.DRIVER, works=works), asked)
    assert (told.is_usable, told.finding.outcome) == (False, Outcome.FAIL)
    assert told.finding.evidence == log[1:]
    assert told.finding.id == ("manifest.not-used" if works else "own")


def test_the_loader_is_right_where_our_reading_is_not() -> None:
    """A driver or a layer that the loader uses works, and our own finding is a note beside it."""
    asked = Asked(CONTROL, WHOLE, {"/a/x.json": Tried("VK_SUCCESS")})
    for kind in (ManifestKind.DRIVER, ManifestKind.EXPLICIT_LAYER):
        told = verdict(_exam(kind, works=False), asked)
        assert (told.is_usable, told.finding.children[0].id) == (True, "own")
        assert told.finding.outcome in (Outcome.PASS, Outcome.INFO)
        assert told.finding.children[0].outcome is Outcome.INFO


def test_a_layer_that_should_be_on_and_is_not_loaded_is_reported() -> None:
    """The evidence is the line that names it, not the one that lists its file."""
    whole = Tried("VK_SUCCESS", ("/lib/libc.so.6",), WHOLE.log)
    told = verdict(_exam(ManifestKind.IMPLICIT_LAYER, works=True), Asked(CONTROL, whole))
    assert (told.is_on, told.finding.id, told.finding.outcome) == (False, "layer.not-used", Outcome.FAIL)
    assert told.finding.evidence == WHOLE.log[:1]


def test_what_was_not_tried_is_not_called_used() -> None:
    """A library that the loader maps may be that of a driver that fails."""
    exam = _exam(ManifestKind.DRIVER, works=False)
    untried = replace(exam, finding=replace(exam.finding, id=NOT_TRIED, outcome=Outcome.SKIP))
    mapped = replace(WHOLE, files=(*WHOLE.files, "/a/x.so"))
    assert verdict(untried, Asked(CONTROL, mapped)) == untried


def test_a_success_beside_drivers_that_settings_add_is_none() -> None:
    """Where settings add a driver to each that is named, no driver can be tried without it, and the reason is there."""
    added = Tried("VK_SUCCESS", ("/a/x.so",))
    told = verdict(_exam(ManifestKind.DRIVER, works=True), Asked(added, added))
    assert (told.is_usable, told.finding.id) == (True, "own")
    assert told.finding.cause.startswith("the loader's settings add drivers")
    left_out = verdict(_exam(ManifestKind.DRIVER, works=True), Asked(added, replace(added, files=("/a/y.so",))))
    assert (left_out.is_usable, left_out.finding.id) == (False, "manifest.not-used")


def test_a_layer_whose_library_is_no_layer_is_not_on() -> None:
    """The loader keeps such a library mapped, and goes on without the layer."""
    exam = _exam(ManifestKind.IMPLICIT_LAYER, works=False)
    exam = replace(exam, finding=replace(exam.finding, id="layer.no-entry-point"))
    assert verdict(exam, Asked(CONTROL, replace(WHOLE, files=("/a/x.so",)))) == exam


def test_without_results_of_the_loader_our_own_finding_counts() -> None:
    """Nothing is known if the loader was not run, fails without any driver, or does not show the files that it maps."""
    for asked in (Asked(), Asked(Tried("VK_ERROR_OUT_OF_HOST_MEMORY")), Asked(CONTROL, Tried("VK_SUCCESS"))):
        for kind in ManifestKind:
            exam = _exam(kind, works=True)
            assert verdict(exam, asked) == exam


def test_the_words_of_a_later_loader_look_like_those_of_an_earlier_one() -> None:
    """Loader 1.4 starts each line with its name, and has lines for debugging."""
    error = "ERROR:            /a/x.so: cannot open shared object file"
    debug = "[Vulkan Loader] DEBUG | DRIVER: Found ICD manifest file /a/x.json, version 1.0.1"
    assert Tried(log=(f"[Vulkan Loader] {error}", debug)).words_on() == Tried(log=(error,)).words_on() == (error,)
