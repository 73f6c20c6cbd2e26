# SPDX-License-Identifier: Apache-2.0
"""A bundle is written even if parts fail, holds what its list says, and has no personal data."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import seeds
from program import PROGRAM, Ran, Run, environment

from vkzircon_cli.bundle import Part, zipped

FOLDER = "vkzircon-bundle/"
ALWAYS = ("CONTENTS.txt", "report.txt", "report.json", "report.md", "report.html", "trace.jsonl")
ODD = b'{"file_format_version": "1.0.0", "layer": {}, "x": "\xff\xfe alice"}'
UUID_OF_LAVAPIPE = "6d657361-"


class Opened:
    """The files of a bundle."""

    def __init__(self, ran: Ran, path: Path) -> None:
        self.ran = ran
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            assert archive.testzip() is None
            self.infos = archive.infolist()
            self.files = {info.filename.removeprefix(FOLDER): archive.read(info) for info in self.infos}

    def text(self, name: str) -> str:
        """Return the text of a UTF-8 file."""
        return self.files[name].decode()

    @property
    def manifests(self) -> list[str]:
        """Return the names of the manifests, without their numbers."""
        return [name.partition("-")[2] for name in self.files if name.startswith("manifests/")]


Bundled = Callable[..., Opened]


@pytest.fixture(name="bundled")
def _bundled(vkzircon: Run, tmp_path: Path) -> Bundled:
    """Make a bundle and open it."""

    def make(*arguments: str, code: int = 0, **env: str | None) -> Opened:
        (tmp_path / "vkzircon-bundle.zip").unlink(missing_ok=True)  # or the second bundle has a number
        ran = vkzircon("bundle", *arguments, **env)
        assert (ran.code, ran.err) == (code, "")
        assert "\nvkzircon-bundle.zip: " in ran.out
        return Opened(ran, tmp_path / "vkzircon-bundle.zip")

    return make


@pytest.fixture(name="good")
def _good(bundled: Bundled, lavapipe: str) -> Opened:
    return bundled("--emulate", VK_DRIVER_FILES=lavapipe)


def test_a_bundle_has_what_it_says(good: Opened) -> None:
    """Every file is listed in CONTENTS.txt, has a path inside the folder, and has mode 0644."""
    contents = good.text("CONTENTS.txt")
    began, emulated, date, command, rest = contents.split("\n", 4)
    assert began.startswith("PASS, exit code 0: llvmpipe")
    assert emulated == "EMULATED RUN: VK_LAYER_VKZIRCON_external_memory (persona=strict)"
    assert (date[:8], command) == ("Date: 20", "Command line: vkzircon bundle --emulate")
    said = " ".join(good.ran.out.split())
    assert said.startswith(" ".join([began, emulated, date, command, "vkzircon-bundle.zip:"]))
    assert rest.startswith("\nreport.txt: ")
    assert "Missing:" not in contents
    for name in (*ALWAYS, "environment.txt", "versions.txt", "loader.log"):
        assert good.files[name]
        assert name == "CONTENTS.txt" or f"\n{name}: " in contents
    for info in good.infos:
        assert info.filename.startswith(FOLDER)
        assert ".." not in info.filename
        assert info.external_attr >> 16 == 0o100644
        assert info.filename.removeprefix(FOLDER) in contents or info.filename.endswith("CONTENTS.txt")
    assert "VkLayer_vkzircon_external_memory.json" in good.manifests
    assert any(name.startswith("lvp_icd") for name in good.manifests)
    assert "Vulkan Loader Version" in good.text("loader.log")
    assert "loader " in good.text("versions.txt")


def test_its_report_and_trace_are_shown(good: Opened, vkzircon: Run, tmp_path: Path) -> None:
    """Both have the same verdicts, and `show` renders them as the bundle does."""
    for name in ("report.json", "trace.jsonl"):
        (tmp_path / name).write_bytes(good.files[name])
    shown = [vkzircon("show", name, "--format", "json").json for name in ("report.json", "trace.jsonl")]
    assert shown[0] == shown[1]
    page = vkzircon("show", "report.json", "--format", "html").out
    hidden = "Hidden"
    assert page.partition(hidden)[0][:2000] == good.text("report.html").partition(hidden)[0][:2000]
    markdown = vkzircon("show", "report.json", "--format", "markdown").out
    assert markdown.rpartition("\n\n")[0] == good.text("report.md").rpartition("\n\n")[0]


@pytest.fixture(name="private")
def _private(tmp_path: Path, lavapipe: str) -> dict[str, str]:
    """An environment with a user's name in it, and a manifest in the home folder with that name and a secret."""
    home = tmp_path / "home" / "alice"
    folder = home / ".local" / "share" / "vulkan" / "implicit_layer.d"
    folder.mkdir(parents=True)
    layer = {"file_format_version": "1.0.0", "API_TOKEN": "s3cr3t", "layer": {"description": "of alice"}}
    (folder / "alice.json").write_text(json.dumps(layer))
    driver = home / "driver.json"
    driver.write_text(Path(lavapipe).read_text())
    return {"HOME": str(home), "USER": "alice", "VK_DRIVER_FILES": str(driver), "VK_LAYER_PATH": "/data/alice/x"}


def test_nothing_private_is_in_any_file(bundled: Bundled, private: dict[str, str]) -> None:
    """No file, manifest or file name has the home, user, host, UUIDs or secrets; the output counts what was hidden."""
    bundle = bundled("--emulate", **private)
    for name, data in bundle.files.items():
        for found in ("alice", private["HOME"], "s3cr3t", UUID_OF_LAVAPIPE):
            assert found not in name
            assert found.encode() not in data, (name, found)
        words = data.replace(b"/", b" ").replace(b'"', b" ").split()
        assert os.uname().nodename.encode() not in words, name
    assert "user name (" in bundle.ran.out
    assert "UUID (" in bundle.text("CONTENTS.txt")
    assert "<UUID 1>" in bundle.text("report.json")
    assert "<UUID 1>" in bundle.text("trace.jsonl")
    assert "VK_LAYER_PATH=/data/<user>/x" in bundle.text("environment.txt")


def test_no_seed_is_in_any_file(bundled: Bundled, vkzircon: Run, broken_driver: Any, tmp_path: Path) -> None:
    """Output, variables, manifests and their paths: no secret of any listed form survives in any file."""
    private = tmp_path / "home" / "bobby" / seeds.USER
    folder = private / ".local/share/vulkan/implicit_layer.d"
    folder.mkdir(parents=True)
    manifest = {"file_format_version": "1.0.0", "layer": {"name": "VK_LAYER_x"}}
    as_text = {**manifest, "x": seeds.SEEDS, "y": json.dumps(seeds.SEEDS), "z": "\n".join(seeds.SEEDS)}
    (folder / f"{seeds.USER}-{seeds.TOKENS['GitHub']}.json").write_text(json.dumps(as_text))
    printed = "\n".join(seeds.SEEDS)
    (tmp_path / "printed").write_text(printed)
    driver = broken_driver(
        f'char all[65536]; FILE *file = fopen("{tmp_path}/printed", "r");'
        "fwrite(all, 1, fread(all, 1, sizeof all, file), stdout); fflush(stdout); fprintf(stderr, all);"
    )
    env = {"HOME": str(private), "USER": seeds.USER, "VK_DRIVER_FILES": driver, "VK_LAYER_PATH": printed}
    env["SUDO_USER"] = seeds.HOST  # no host can be named here without root's rights; a user's name is hidden alike
    bundle = bundled("--device", seeds.USER, code=0, **env)
    for name, data in bundle.files.items():
        assert seeds.survivors(name + data.decode()) == [], name
    for form in ("markdown", "html"):
        assert seeds.survivors(vkzircon("--format", form, **env).out) == []
    assert "A secret of\nanother form and the name of another person are not recognized" in bundle.text("CONTENTS.txt")


def test_all_is_left_in_when_asked(bundled: Bundled, private: dict[str, str]) -> None:
    """--no-redact leaves the home folder, the UUIDs and the bytes of manifests."""
    (Path(private["HOME"]) / ".local/share/vulkan/implicit_layer.d/odd.json").write_bytes(ODD)
    bundle = bundled("--emulate", "--no-redact", **private)
    assert private["HOME"] in bundle.text("report.json")
    assert UUID_OF_LAVAPIPE in bundle.text("report.html")
    assert "Nothing was hidden" in bundle.text("CONTENTS.txt")
    assert ODD in bundle.files.values()


def test_a_manifest_is_bounded_and_never_fatal(bundled: Bundled, private: dict[str, str]) -> None:
    """A long manifest is cut, one that is too long is only named; bytes that are not UTF-8 are escaped."""
    folder = Path(private["HOME"]) / ".local/share/vulkan/implicit_layer.d"
    (folder / "odd.json").write_bytes(ODD)
    (folder / "long.json").write_text(json.dumps({"file_format_version": "1.0.0", "layer": {}, "x": "x" * 100_000}))
    (folder / "huge.json").write_text(json.dumps({"file_format_version": "1.0.0", "layer": {}, "x": "x" * (5 << 20)}))
    bundle = bundled("--emulate", **private)
    contents = bundle.text("CONTENTS.txt")
    long = next(data for name, data in bundle.files.items() if name.endswith("long.json"))
    assert 60_000 < len(long) <= 64 * 1024 + 10
    assert "long.json, without its last " in contents
    assert "huge.json: is larger than 1 MiB, which no manifest is: it was not read\n" in contents
    assert ODD.replace(b"\xff\xfe alice", b"\\xff\\xfe <user>") in bundle.files.values()


def test_only_a_manifest_in_its_own_folder_is_read(bundled: Bundled, private: dict[str, str], tmp_path: Path) -> None:
    """A bundle names links out of a folder and other JSON, but takes neither: root may make it in a user's folder."""
    folder = Path(private["HOME"]) / ".local/share/vulkan/implicit_layer.d"
    manifest = {"file_format_version": "1.0.0", "layer": {"name": "VK_LAYER_x"}}
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(json.dumps({**manifest, "x": "hunter2"}))
    (folder / "out.json").symlink_to(elsewhere)
    (folder / "keys.json").write_text('{"auth": "hunter2"}')
    (folder / "half.json").write_text('{"file_format_version": "1.0.0", "auth": "hunter2"}')
    (folder / "comma.json").write_text('{"auth": "hunter2",\n}')
    (folder / "folder.json").mkdir()
    (folder / "near.json").symlink_to("real.json")
    (folder / "same.json").symlink_to(folder / "real.json")
    (folder / "real.json").write_text(json.dumps({**manifest, "x": "of this folder"}))
    bundle = bundled("--no-redact", **private)
    assert not any(b"hunter2" in data for data in bundle.files.values())
    missing = bundle.text("CONTENTS.txt").partition("Missing:")[2]
    assert f"out.json: is a link to {elsewhere}, in another folder: it was not read\n" in missing
    assert "keys.json: is not a manifest: it has no file_format_version\n" in missing
    assert "half.json: is not a manifest: it has none of ICD, layer, layers\n" in missing
    assert "comma.json: has a trailing comma (1:19)\n" in missing
    assert "folder.json: is not a regular file, but a folder\n" in missing
    assert {"near.json", "same.json", "real.json"} <= set(bundle.manifests)
    assert (tmp_path / "vkzircon-bundle.zip").stat().st_mode & 0o777 == 0o600


def test_what_a_driver_names_is_no_manifest(bundled: Bundled, broken_driver: Any, tmp_path: Path) -> None:
    """A file that a driver names in its output is not taken; control characters in the output are escaped."""
    keys = tmp_path / "config.json"
    keys.write_text('{"auth": "c2VjcmV0"}')
    says = f'puts("read {keys}\\n{keys}\\n\\033[31mred"); fflush(stdout);'
    driver = broken_driver(says)
    bundle = bundled(VK_DRIVER_FILES=driver)
    assert Path(driver).name in bundle.manifests
    assert "config.json" not in bundle.manifests
    assert not any(b"c2VjcmV0" in data for data in bundle.files.values())
    assert "\n\\x1b[31mred\n" in bundle.text("loader.log")


def test_a_manifest_is_found_by_any_path(bundled: Bundled, tmp_path: Path, lavapipe: str) -> None:
    """A relative path, a path with blanks, and a path with bytes that are not UTF-8 work."""
    (tmp_path / "a b").mkdir()
    odd = tmp_path / os.fsdecode(b"odd\xff")
    odd.mkdir()
    for place in (tmp_path / "near.json", tmp_path / "a b" / "blank s.json", odd / "odd.json"):
        place.write_text(Path(lavapipe).read_text())
    bundle = bundled(VK_DRIVER_FILES=f"./near.json:{tmp_path}/a b/blank s.json:{odd}/odd.json")
    assert {"near.json", "blank_s.json", "odd.json"} <= set(bundle.manifests)
    assert r"odd\xff/odd.json" + "\n" in bundle.text("CONTENTS.txt")
    assert "Missing:" not in bundle.text("CONTENTS.txt")


def test_ctrl_c_costs_the_loaders_log_only(bundled: Bundled, broken_driver: Any) -> None:
    """The zip has the first probe and its reports; the exit code is that of the signal."""
    driver = broken_driver('if (getenv("VK_LOADER_DEBUG")) { kill(getppid(), SIGINT); pause(); }')
    bundle = bundled(code=130, VK_DRIVER_FILES=driver, VK_LOADER_DEBUG=None)
    assert set(ALWAYS) <= set(bundle.files)
    assert "VK_LOADER_DEBUG=all: interrupted\n" in bundle.text("CONTENTS.txt")


def test_without_fork_there_is_no_second_probe(bundled: Bundled, lavapipe: str) -> None:
    """A second probe in vkzircon's own process could crash it and lose the bundle."""
    bundle = bundled("--emulate", VK_DRIVER_FILES=lavapipe, VKZIRCON_PLATFORM="fuchsia")
    assert set(ALWAYS) <= set(bundle.files)
    assert "none can be started here\n" in bundle.text("CONTENTS.txt")


def test_without_jinja2_a_page_is_missing(tmp_path: Path) -> None:
    """A Fuchsia device lacks jinja2; every other part is in the bundle."""
    code = "import sys; sys.modules['jinja2'] = None; from vkzircon_cli.__main__ import main; main()"
    env = environment({"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"})
    done = subprocess.run(
        [sys.executable, "-c", code, "bundle"], env=env, cwd=tmp_path, capture_output=True, check=True
    )
    bundle = Opened(Ran(0, done.stdout.decode(), ""), tmp_path / "vkzircon-bundle.zip")
    assert set(ALWAYS) - {"report.html"} <= set(bundle.files)
    assert "report.html" not in bundle.files
    assert "a Python package is missing: jinja2\n" in bundle.text("CONTENTS.txt")


@pytest.mark.parametrize("started", ["1970-01-01T00:00:05Z", "2026-11-25T07:43:03Z", "2200-02-28T00:00:00Z"])
def test_a_clock_that_was_never_set_costs_nothing(started: str) -> None:
    """A zip can be made at any time of the clock, and equal parts make equal bytes."""
    parts = (Part("a.txt", "a", b"a"), Part("b.txt", "b", missing="gone"))
    data = zipped(parts, started)
    assert data == zipped(parts, started)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["vkzircon-bundle/a.txt"]
        assert 1980 <= archive.infolist()[0].date_time[0] <= 2107


def test_what_is_missing_is_noted(bundled: Bundled, tmp_path: Path) -> None:
    """Without a loader or a driver a bundle is written, with the reason."""
    gone = tmp_path / "gone.json"
    no_loader, no_driver = bundled(VKZIRCON_LIBVULKAN="/nonexistent/libvulkan.so"), bundled(VK_DRIVER_FILES=str(gone))
    for bundle in (no_loader, no_driver):
        assert set(ALWAYS) <= set(bundle.files)
        assert bundle.text("CONTENTS.txt").startswith("ERROR, exit code 4: ")
    missing = no_driver.text("CONTENTS.txt").partition("Missing:")[2]
    assert f"{gone}: cannot be read: No such file or directory\n" in missing.replace("~", os.environ.get("HOME", ""))
    assert "loader.log" in no_loader.text("CONTENTS.txt").partition("Missing:")[2]


@pytest.mark.parametrize("what", ["raise(SIGSEGV);", "pause();"])
def test_a_driver_that_dies_or_hangs_costs_itself(bundled: Bundled, broken_driver: Any, what: str) -> None:
    """Both probes end in time, and the bundle has their results."""
    bundle = bundled("--timeout", "1", VK_DRIVER_FILES=broken_driver(what))
    assert set(ALWAYS) <= set(bundle.files)
    assert json.loads(bundle.text("report.json"))["summary"]["exit_code"] == 5
    assert "Searching for driver manifest files" in bundle.text("loader.log")


def test_a_bundle_replaces_only_a_file_that_is_named(vkzircon: Run, tmp_path: Path) -> None:
    """Without -o the second one gets a number; with -o the file is replaced, as by every command."""
    no_vulkan = {"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"}
    (tmp_path / "vkzircon-bundle.zip").write_text("mine")
    (tmp_path / "vkzircon-bundle-2.zip").symlink_to("gone")
    assert "\nvkzircon-bundle-3.zip: " in vkzircon("bundle", **no_vulkan).out
    assert (tmp_path / "vkzircon-bundle.zip").read_text() == "mine"
    named = vkzircon("bundle", "-o", "vkzircon-bundle.zip", **no_vulkan).out
    assert "Command line: vkzircon bundle -o vkzircon-bundle.zip\n" in named
    assert "\nNot emulated\n" in named
    assert zipfile.is_zipfile(tmp_path / "vkzircon-bundle.zip")


def test_a_bundle_whose_list_cannot_be_printed_is_written(tmp_path: Path) -> None:
    """The zip is the result: a closed or full standard output costs the list only, and a message names the zip."""
    env = environment({"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"})
    for number, target in enumerate((">&-", ">/dev/full"), start=1):
        name = f"{number}.zip"
        script = f"exec {PROGRAM} bundle -o {name} {target}"
        done = subprocess.run(["sh", "-c", script], env=env, cwd=tmp_path, stderr=subprocess.PIPE, check=False)
        assert (done.returncode, done.stderr.decode().startswith(f"vkzircon: {name} is written. ")) == (0, True)
        assert zipfile.is_zipfile(tmp_path / name)


def test_a_full_disk_leaves_no_empty_bundle(tmp_path: Path) -> None:
    """The name that was reserved for the zip is free again."""
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256))"
    limit = f"import os, resource, sys; {limit}; os.execv(sys.argv[1], sys.argv[1:])"
    env = environment({"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"})
    command = [sys.executable, "-c", limit, str(PROGRAM), "bundle"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (6, b"", [])


def test_a_bundle_that_cannot_be_written_is_exit_6(vkzircon: Run) -> None:
    """The message names the path, as for any other result."""
    ran = vkzircon("bundle", "--output", "gone/x.zip", VKZIRCON_LIBVULKAN="/nonexistent/libvulkan.so")
    assert (ran.code, ran.out) == (6, "")
    assert "gone/x.zip" in ran.err
