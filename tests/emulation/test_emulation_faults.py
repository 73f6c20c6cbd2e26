# SPDX-License-Identifier: Apache-2.0
"""Faults through the real program: a step that crashes costs only its own result, and leaves nothing behind."""

import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from program import PROGRAM, Ran, Run, environment

from vkzircon_cli.emulation import installation
from vkzircon_cli.probe.imports import BIND_ORDERS


def test_the_listing_names_personas_and_faults(vkzircon: Run, layer: installation.Installation) -> None:
    """`emulate --list` needs no Vulkan and fits 80 columns; faults WAY-in-PLACE are two short lists."""
    assert layer.libzircon.is_file()
    ran = vkzircon("emulate", "--list", VKZIRCON_LIBVULKAN="/nonexistent")
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 80
    listed = vkzircon("emulate", "--list", "--format", "json", VKZIRCON_LIBVULKAN="/nonexistent").json
    names = {
        re.sub("^(abort|exit|hang|segfault)-in-", "", each["name"]) for each in (*listed["personas"], *listed["faults"])
    }
    assert names >= {"swiftshader", "goldfish", "strict", "export-zero", "odd-result-in-export", "export", "load"}
    rows = re.findall(r"^  ([a-z0-9-]+)  ", ran.out, re.MULTILINE)
    assert sorted(rows) == sorted([*names, "abort", "exit", "hang", "segfault"])
    assert "  hang      Never returns from PLACE.\n" in ran.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--fault", "export-zer"), "export-zero"),
        (("--persona", "goldfsh"), "goldfish"),
        (("--fault", "nothing like it"), "vkzircon emulate --list"),
        (("--fault", "\x1b[31m"), "vkzircon emulate --list"),
    ],
)
def test_an_unknown_name_gets_the_nearest(emulated: Run, options: tuple[str, ...], said: str) -> None:
    """A typo never passes as a good driver: exit 2, with a suggestion."""
    ran = emulated(*options, "--format", "json")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert "\x1b" not in ran.err


def test_a_fault_without_emulation_is_refused(vkzircon: Run) -> None:
    """Only --emulate turns the emulation on: --fault does not."""
    ran = vkzircon("--fault", "export-zero")
    assert ran.code == 2
    assert "Add --emulate" in ran.err


def test_emulate_runs_any_program(vkzircon: Run, lavapipe: str, layer: installation.Installation) -> None:
    """The program sees the extension, its exit code is kept, and an unknown program is an error."""
    assert layer.manifest.is_file()
    ran = vkzircon("emulate", "--", "vulkaninfo", VK_DRIVER_FILES=lavapipe)
    assert "VK_FUCHSIA_external_memory" in ran.out
    assert vkzircon("emulate", "--persona", "goldfish", "--", "sh", "-c", "exit 37").code == 37
    assert vkzircon("emulate", "--", "sh", "-c", "kill -TERM $$").code == -signal.SIGTERM
    assert vkzircon("emulate", "--", "no-such-program").code == 2
    assert vkzircon("emulate").code == 2
    assert vkzircon("emulate", "--fault", "nope", "--", "true").code == 2
    assert "Did you mean --persona goldfish?" in vkzircon("emulate", "--fault", "goldfsh", "--", "true").err


def test_a_step_that_dies_costs_that_step(emulated: Run) -> None:
    """The report has every other step, names call and signal; no step waits for a dead worker."""
    good = emulated("--format", "json")
    assert good.code == 0
    for how, expected in {"segfault": "SIGSEGV", "abort": "SIGABRT", "exit": "exit status 0"}.items():
        bad = emulated("--format", "json", "--fault", f"{how}-in-vmar-map")
        assert _hung_steps(bad, 5) == []
        assert bad.code == 5
        assert _steps(bad) == _steps(good)
        missing = bad.json["devices"][0]["data"][0]["round_trip"]["missing"]
        assert (missing["kind"], missing["call"]) == ("crashed", "zx_vmar_map")
        assert expected in missing["result"] + missing["reason"]
        assert _untouched(bad) == _untouched(good)


def _steps(ran: Ran) -> list[str]:
    return [step["step"] for step in ran.json["run"]["steps"]]


def _hung_steps(ran: Ran, timeout_s: float) -> list[str]:
    """Return the steps that took *timeout_s* or longer."""
    return [step["step"] for step in ran.json["run"]["steps"] if step["duration_ms"] >= timeout_s * 1000]


def _untouched(ran: Ran) -> dict[str, str]:
    groups = ("export.", "properties.")
    return {row["id"]: row["outcome"] for row in ran.json["checks"] if row["id"].startswith(groups)}


@pytest.mark.parametrize(
    ("faults", "id", "outcome", "says"),
    [
        (
            ("unsupported-images-succeed",),
            "compatible",
            "warn",
            "images by D3D11_TEXTURE: the query returned VK_SUCCESS without a feature",
        ),
        (("unsupported-images-succeed", "deny-all"), "compatible", "fail", "All 10 images"),
        (("capabilities-unwritten",), "well-formed", "fail", "all 10 images"),
        (("capabilities-clobber-header",), "well-formed", "fail", "all 10 images"),
        (("incompatible-with-itself",), "compatible", "fail", "all 10 images"),
        (("semaphore-listed", "capabilities-unwritten"), "semaphore", "warn", "Nothing was written"),
        (("semaphore-listed", "capabilities-clobber-header"), "semaphore", "warn", "sType or pNext was changed"),
    ],
)
def test_the_answers_for_images_and_semaphores_are_looked_at(
    once: Run, faults: tuple[str, ...], id: str, outcome: str, says: str
) -> None:
    """They are checked like those for buffers: an answer without writing, header or feature is noticed."""
    options = [word for fault in faults for word in ("--fault", fault)]
    checks = once("check", "--format", "json", *options).json["checks"]
    (found,) = (check for check in checks if check["id"] == f"capabilities.{id}")
    assert found["outcome"] == outcome
    assert says in found["sentence"]


def test_an_image_is_shared_in_plain_memory_too(once: Run) -> None:
    """In three orders of binding and with every pixel read back; left out where images are DEDICATED_ONLY."""
    (device,) = once("--format", "json").json["devices"]
    imports = [row for row in device["imports"] if row["form"] == "plain-image"]
    assert [row["kind"] for row in imports] == [str(kind) for kind in BIND_ORDERS]
    assert all(row["imported"]["value"]["shared"]["value"]["wrong"] == 0 for row in imports)
    trips = [row["trip"]["value"]["seen"]["wrong"] for row in device["images"] if row["form"] == "plain-image"]
    assert trips == [0, 0]
    (device,) = once("--format", "json", "--fault", "dedicated-only-reported").json["devices"]
    rows = [row["handle"] for row in device["exports"]] + [row["trip"] for row in device["images"]]
    left_out = [row["missing"]["reason"] for row in rows if row["missing"]]
    assert sum("such images are DEDICATED_ONLY" in reason for reason in left_out) == 3
    assert not any(row["form"] == "plain-image" for row in device["imports"])


def test_the_issues_own_crash(emulated: Run) -> None:
    """`vkzircon --emulate --fault segfault-in-export` prints a report and exits 5."""
    ran = emulated("--fault", "segfault-in-export")
    assert (ran.code, ran.err) == (5, "")
    assert "crashed in vkGetMemoryZirconHandleFUCHSIA" in " ".join(ran.out.split())


@pytest.mark.parametrize(("faults", "code"), [(("import-kills", "import-ignores-size"), 1), (("import-kills",), 0)])
def test_dying_of_one_wrong_input_hides_no_other_that_was_taken(
    emulated: Run, faults: tuple[str, ...], code: int
) -> None:
    """A crash alone is exit 0; an import that wrongly succeeded is exit 1, and its sentence has both."""
    options = [word for fault in faults for word in ("--fault", fault)]
    ran = emulated("check", "--negative", "--format", "json", *options)
    assert ran.code == ran.json["summary"]["exit_code"] == code
    (refused,) = (check for check in ran.json["checks"] if check["id"] == "negative.import-refused")
    assert ("the import succeeded" in refused["sentence"], refused["outcome"]) == (bool(code), ("crash", "fail")[code])
    assert "the driver crashed in vkAllocateMemory (SIGABRT)" in refused["sentence"]
    assert ("but negative.import-refused: " in ran.json["summary"]["sentence"]) is bool(code)


def test_a_hang_costs_the_limit_once(emulated: Run) -> None:
    """One step that hangs costs --timeout, and the other steps are there."""
    ran = emulated("--fault", "hang-in-export", "--timeout", "2", "--format", "json")
    assert ran.code == 5
    assert len(_hung_steps(ran, 2)) == 1
    missing = ran.json["devices"][0]["exports"][0]["handle"]["missing"]
    assert (missing["kind"], missing["call"]) == ("timed-out", "vkGetMemoryZirconHandleFUCHSIA")
    assert ran.json["closed"]["value"] is True


def test_a_device_that_is_never_done_is_given_nothing_more(emulated: Run) -> None:
    """The device still uses submitted work: no more is submitted where no wait is possible, so that nothing crashes."""
    for _ in range(3):
        ran = emulated("--fault", "hang-in-wait", "--timeout", "1", "--format", "json")
        assert (ran.code, ran.json["summary"]["outcome"]) == (5, "timeout")
        assert ran.json["culprits"] == []
        assert '"crashed"' not in ran.out


def test_a_call_that_hung_is_not_made_again(emulated: Run) -> None:
    """A call that hangs in every step costs its timeout once: later steps say that it hung before."""
    ran = emulated("--fault", "hang-in-vmo-read", "--timeout", "1", "--format", "json")
    assert ran.code == 5
    assert len(_hung_steps(ran, 1)) == 1
    trips = [row["round_trip"]["value"]["through_vmo_read"]["missing"] for row in ran.json["devices"][0]["data"]]
    assert {missing["reason"] for missing in trips} == {"zx_vmo_read hung in an earlier step"}
    assert ran.json["closed"]["value"] is True


def test_two_hangs_end_the_run(emulated: Run) -> None:
    """After two hangs no further step is asked, and the report says so."""
    hangs = ("--fault", "hang-in-vmo-read", "--fault", "hang-in-vmar-map")
    ran = emulated(*hangs, "--timeout", "1", "--format", "json")
    assert ran.code == 5
    assert len(_hung_steps(ran, 1)) == 2
    assert "the rest was not asked" in ran.json["run"]["messages"][-1]["text"]


@pytest.mark.parametrize("talk", ["talks-on-stdout", "talks-on-stderr"])
def test_a_driver_that_talks_is_kept_out_of_the_result(emulated: Run, talk: str) -> None:
    """The driver's output is in the report and nowhere else."""
    ran = emulated("--fault", talk, "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["run"]["output"]["text"]


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ("name-not-utf8", "\\x"),
        ("name-hostile", "\\x1b"),
        ("name-empty", "(no name)"),
        ("name-unterminated", "Device 0: "),
    ],
)
def test_hostile_names_are_shown_and_never_obeyed(emulated: Run, fault: str, shown: str) -> None:
    """Escape sequences, markup, wrong bytes and a missing NUL are text in the report."""
    ran = emulated("--fault", fault)
    assert ran.code == 0
    assert shown in ran.out
    assert not set(ran.out) & {chr(code) for code in (*range(10), *range(11, 32), *range(127, 160))}


def test_a_lost_device_is_asked_nothing_more(emulated: Run) -> None:
    """After VK_ERROR_DEVICE_LOST the later steps are left out, and the device is still closed."""
    ran = emulated("--fault", "device-lost-in-submit", "--format", "json")
    assert ran.code == 1
    rows = {row["write"]: row["round_trip"] for row in ran.json["devices"][0]["data"]}
    assert rows["gpu-fill"]["missing"]["result"] == "VK_ERROR_DEVICE_LOST"
    assert ran.json["devices"][0]["closed"]["value"] is True


def test_old_kernels_are_asked_in_their_own_version(emulated: Run) -> None:
    """A kernel that knows only the first ZX_INFO_VMO answers in that one."""
    ran = emulated("--fault", "old-kernel", "--format", "json")
    assert ran.code == 0
    assert ran.json["devices"][0]["exports"][0]["handle"]["value"]["info"]["value"]["version"] == 1


def _verdicts(ran: Ran, *ids: str) -> list[tuple[str, str]]:
    """Return outcome and sentence of each check of *ids*."""
    checks = {check["id"]: check for check in ran.json["checks"]}
    return [(checks[each]["outcome"], checks[each]["sentence"]) for each in ids]


def test_a_service_that_takes_a_handle_late_is_no_leak(emulated: Run) -> None:
    """A handle that is counted only after the import is counted again before a second import."""
    ran = emulated("check", "--format", "json", "--fault", "handle-count-late")
    ((outcome, sentence),) = _verdicts(ran, "import.releases-handle")
    assert (ran.code, outcome) == (0, "pass")
    assert sentence == "Memory type 0: the VMO has 2 handles after the import was freed, and 2 are right."


def test_a_count_that_never_settles_is_a_warning(emulated: Run) -> None:
    """If the count changes by itself, it can neither show nor exclude a leak."""
    ran = emulated("check", "--format", "json", "--fault", "handle-count-wavers")
    ((outcome, sentence),) = _verdicts(ran, "import.releases-handle")
    assert (ran.code, outcome) == (0, "warn")
    assert "the VMO's handle count changes while the VMO is not used" in sentence


@pytest.mark.parametrize(("fault", "outcome"), [("discrete-device", "info"), ("refuse-import", "fail")])
def test_a_kernel_that_counts_no_handles_costs_the_count_only(emulated: Run, fault: str, outcome: str) -> None:
    """Without ZX_INFO_PROCESS_HANDLE_STATS the imports are repeated and judged: only a leak would not be seen."""
    faults = ("--fault", "no-handle-stats", "--fault", fault)
    ran = emulated("check", "--stress", "--select", "stress", "--format", "json", *faults)
    rows = {row["what"]: row["stressed"]["value"] for row in ran.json["devices"][0]["stress"]}
    assert [verdict[0] for verdict in _verdicts(ran, "stress.imports", "stress.rounds")] == [outcome] * 2
    if outcome == "info":
        assert rows["imports"]["rounds"] > 0
        assert rows["imports"]["handles_after"] is None
        assert "the kernel refuses to count handles" in _verdicts(ran, "stress.imports")[0][1]


@pytest.mark.parametrize(
    ("faults", "code", "worst"),
    [
        (("deny-import", "segfault-in-import"), 0, "warn"),
        (("deny-import", "refuse-import"), 0, "warn"),
        (("deny-export", "segfault-in-export"), 0, "warn"),
        (("deny-export", "segfault-in-import"), 5, "crash"),  # in the import of a VMO of our own
    ],
)
def test_what_the_driver_reports_not_to_work_is_tried_at_our_own_risk(
    emulated: Run, faults: tuple[str, ...], code: int, worst: str
) -> None:
    """A crash or a refusal there is no exit 5 and no exit 1, and the report does not claim that memory is shared."""
    options = [word for fault in faults for word in ("--fault", fault)]
    ran = emulated("check", "--format", "json", *options)
    assert (ran.code, ran.json["summary"]["outcome"]) == (code, worst)
    assert "shares its memory" not in ran.json["summary"]["sentence"]
    said = [check for check in ran.json["checks"] if "that need not work: the driver reports no" in check["sentence"]]
    assert bool(said) is (faults[1] != "refuse-import")
    assert {check["advice"] for check in said if check["outcome"] != "crash"} <= {None}


def test_a_job_policy_that_kills_never_strikes(emulated: Run) -> None:
    """Only ZX_INFO_HANDLE_VALID is ever given a number that may not be a handle."""
    for other in ("export-zero", "export-closed-handle", "export-odd-handle", "properties-close-handle"):
        assert emulated("check", "--quiet", "--fault", "bad-handle-kills", "--fault", other).code == 1


def test_a_job_policy_that_kills_spares_drivers_that_judge_handle_0_themselves(emulated: Run) -> None:
    """Handle 0 is refused without a zx call, which would kill the process, as it does for other numbers."""
    ran = emulated("check", "--negative", "--fault", "bad-handle-kills", "--format", "json")
    assert ran.code == 0
    rows = [row for row in ran.json["devices"][0]["negative"] if row["what"] in ("zero", "garbage")]
    died = {(row["what"], row["call"].startswith("vkGet")): row["refusal"]["value"] is None for row in rows}
    assert died == {("zero", False): False, ("zero", True): False, ("garbage", False): True, ("garbage", True): True}


def _leftovers(mark: str) -> list[str]:
    """Return processes of *mark*, and memfds that another process still holds."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append(str(folder))
        except OSError:
            continue
    return found


def test_random_faults_and_kills_leave_nothing(lavapipe: str, layer: installation.Installation, tmp_path: Path) -> None:
    """60 runs with a random fault and persona, killed at a random line: no process stays, and the lines are read."""
    listing = subprocess.run([PROGRAM, "emulate", "--list", "-f", "json"], capture_output=True, check=True).stdout
    personas, faults = ([each["name"] for each in json.loads(listing)[key]] for key in ("personas", "faults"))
    assert "goldfish" in personas
    dice = random.Random(200)
    mark = f"VKZIRCON_TEST=random-{os.getpid()}"
    env = environment({"VK_DRIVER_FILES": lavapipe, "VKZIRCON_TEST": mark.partition("=")[2]})
    file = tmp_path / "trace"
    for _ in range(60):
        options = ["--persona", dice.choice(personas), "--fault", dice.choice(faults), "--timeout", "0.3"]
        with file.open("wb") as out:
            running = subprocess.Popen(
                [PROGRAM, "--emulate", "--format", "trace", *options], env=env, stdout=out, stderr=subprocess.PIPE
            )
        # Before its first line the interpreter starts, and dies of a signal as it likes; a good run writes 150.
        last = dice.randint(1, 150)
        while running.poll() is None and file.read_bytes().count(b"\n") < last:
            time.sleep(0.002)
        running.send_signal(dice.choice((signal.SIGINT, signal.SIGKILL, signal.SIGTERM)))
        _, err = running.communicate(timeout=10)
        assert b"Traceback" not in err
        assert running.returncode in (0, 1, 3, 4, 5, 130, 143, -signal.SIGKILL)
        _reads(file)
    deadline = time.monotonic() + 5
    while _leftovers(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _leftovers(mark) == []
    assert [path.name for path in tmp_path.iterdir()] == ["trace"]
    assert layer.manifest.is_file()


def _reads(file: Path) -> None:
    from vkzircon_cli.saved.load import read

    if b"\n" in file.read_bytes():
        read(file)
