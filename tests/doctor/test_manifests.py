# SPDX-License-Identifier: Apache-2.0
"""Each fault of a manifest has its own finding, which agrees with the real loader."""

import json
import os
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from program import Run

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding
from vkzircon_cli.doctor.loader_trial import LoaderTrial
from vkzircon_cli.doctor.manifest import ManifestKind, examine
from vkzircon_cli.doctor.manifest_check import driver_findings, examine_all, layer_findings
from vkzircon_cli.doctor.manifest_file import Unreadable, read_manifest
from vkzircon_cli.doctor.search import Surroundings

Made = Callable[[Path, str], None]


def _where(**environ: str) -> Surroundings:
    return Surroundings("linux", False, environ, 1.0)


def _body(library: str, **more: Any) -> str:
    icd = {"library_path": library, "api_version": "1.1.0", **more}
    return json.dumps({"file_format_version": "1.0.0", "ICD": {k: v for k, v in icd.items() if v is not None}})


def _bytes(content: bytes) -> Made:
    return lambda path, _: path.write_bytes(content) and None  # type: ignore[return-value]


def _saying(**more: Any) -> Made:
    return lambda path, library: path.write_text(_body(library, **more)) and None  # type: ignore[return-value]


def _changed(change: Callable[[str], bytes]) -> Made:
    return lambda path, library: path.write_bytes(change(_body(library))) and None  # type: ignore[return-value]


def _rooted(**root: Any) -> Made:
    return lambda path, library: path.write_text(json.dumps(root).replace("LIBRARY", library)) and None  # type: ignore[return-value]


def _beside(name: str, content: bytes) -> Made:
    def make(path: Path, _: str) -> None:
        path.with_name(name).write_bytes(content)
        path.write_text(_body(f"./{name}"))

    return make


def _elf(machine: int, kind: int) -> bytes:
    return b"\x7fELF" + bytes([kind, 1, 1]) + bytes(9) + b"\x03\x00" + machine.to_bytes(2, "little") + bytes(44)


def _inserted(text: str) -> Made:
    return _changed(lambda body: body.replace("{", f"{{{text}, ", 1).encode())


def _twice(first: str) -> Callable[[str], bytes]:
    return lambda body: body.replace('"library_path"', f'"library_path": "{first}", "library_path"').encode()


def _library_null(body: str) -> bytes:
    document = json.loads(body)
    document["ICD"]["library_path"] = None
    return json.dumps(document).encode()


def _windows(body: str) -> bytes:
    return body.replace(json.loads(body)["ICD"]["library_path"], "C:\\driver\\k.dll").encode()


# What JSON does not have, and the loader's reader takes all the same.
TAKEN = {
    "tab": '"x": "a\tb"',
    "line-end": '"x": "a\nb"',
    "control": '"x":\x01 1',
    "form-feed": '\f"x": 1',
    "escape": '"x": "\\q"',
    "short-unicode": '"x": "\\users-and-more"',
    "zero-first": '"x": 01',
    "sign-only": '"x": -',
    "no-exponent": '"x": 1e',
    "many-digits": f'"x": {"1" * 5000}',
    "nested": f'"x": {"[" * 300}{"]" * 300}',
    "key-twice": '"x": 1, "x": 2',
}
LAYER = {"name": "VK_LAYER_x", "type": "GLOBAL", "library_path": "./x.so", "api_version": "1.1.0"}
CASES: dict[str, tuple[Made, str, str]] = {
    "fine": (_saying(), "manifest.fine", "which loads"),
    "trailing-text": (_changed(lambda body: f"{body} more".encode()), "manifest.fine", "which loads"),
    "latin-1": (_changed(lambda body: body.replace("{", '{"x": "é", ', 1).encode("latin-1")), "manifest.fine", "loads"),
    **{f"taken-{name}": (_inserted(text), "manifest.fine", "which loads") for name, text in TAKEN.items()},
    "first-library": (_changed(_twice("/nonexistent/x.so")), "manifest.library-missing", "/nonexistent/x.so"),
    "zero-byte": (_changed(lambda body: body.replace("{", "{\0", 1).encode()), "manifest.utf-16", "UTF-16"),
    "utf-16-unmarked": (_changed(lambda body: body.encode("utf-16-le")), "manifest.utf-16", "UTF-16"),
    "ends-at-zero": (
        _changed(lambda body: f"{body[:30]}\0{body[30:]}".encode()),
        "manifest.truncated",
        "in the middle",
    ),
    "list-of-one": (_changed(lambda body: f"[{body}]".encode()), "manifest.not-an-object", "not an object"),
    "icd-is-a-list": (_rooted(file_format_version="1.0.0", ICD=["x"]), "manifest.wrong-type", "is a list"),
    "library-is-null": (_changed(_library_null), "manifest.wrong-type", "is not a text"),
    "windows-path": (_changed(_windows), "manifest.library-missing", "C:driverk.dll"),
    "variant-by-overflow": (_saying(api_version="128.1.1"), "manifest.left-out", "variant"),
    "variant-by-more": (_saying(api_version="512.0.0"), "manifest.left-out", "variant"),
    "variant-of-five": (_saying(api_version="1.1.1.1.1"), "manifest.left-out", "variant"),
    "variant-of-words": (_saying(api_version="1.a.b.c"), "manifest.left-out", "variant"),
    "variant-negative": (_saying(api_version="-1.1.0"), "manifest.left-out", "variant"),
    "empty": (_bytes(b""), "manifest.empty", "is empty"),
    "blank": (_bytes(b" \n"), "manifest.empty", "is empty"),
    "byte-order-mark": (_changed(lambda body: body.encode("utf-8-sig")), "manifest.byte-order-mark", "byte-order mark"),
    "utf-16": (_changed(lambda body: body.encode("utf-16")), "manifest.utf-16", "UTF-16"),
    "comma": (_changed(lambda body: body[:-1].encode() + b",\n}"), "manifest.bad-json", "a trailing comma"),
    "bad-json": (_bytes(b'{\n  "ICD": nope}'), "manifest.bad-json", "is not JSON"),
    "nan": (_bytes(b'{"ICD": NaN}'), "manifest.bad-json", "NaN is not a value"),
    "deep": (_bytes(b"[" * 5000), "manifest.truncated", "ends in the middle"),
    "comments": (_changed(lambda body: f"// driver\n{body}".encode()), "manifest.comments", "a comment"),
    "truncated": (_changed(lambda body: body[:40].encode()), "manifest.truncated", "ends in the middle"),
    "not-an-object": (_bytes(b"[]"), "manifest.not-an-object", "not an object"),
    "is-a-layer": (_rooted(file_format_version="1.0.0", layer=LAYER), "manifest.is-a-layer", "a layer's manifest"),
    "no-version": (_rooted(ICD={"library_path": "LIBRARY"}), "manifest.missing-key", "no file_format_version"),
    "no-icd": (_rooted(file_format_version="1.0.0"), "manifest.missing-key", "no ICD"),
    "other-case": (_rooted(file_format_version="1.0.0", icd={}), "manifest.missing-key", "no ICD"),
    "icd-is-text": (_rooted(file_format_version="1.0.0", ICD="x"), "manifest.missing-key", "no ICD"),
    "no-library": (_saying(library_path=None), "manifest.missing-key", "no ICD.library_path"),
    "empty-library": (_saying(library_path=""), "manifest.missing-key", "an empty ICD.library_path"),
    "no-api": (_saying(api_version=None), "manifest.missing-key", "no ICD.api_version"),
    "library-is-a-number": (_saying(library_path=5), "manifest.wrong-type", "is not a text"),
    "library-is-a-fraction": (_saying(library_path=1.5), "manifest.wrong-type", "is not a text"),
    "variant": (_saying(api_version="1.1.1.0"), "manifest.left-out", "variant"),
    "32-bit-by-word": (_saying(library_arch="32"), "manifest.left-out", "32 bits"),
    "library-gone": (_saying(library_path="/nonexistent/x.so"), "manifest.library-missing", "which does not exist"),
    "name-gone": (_saying(library_path="libnone.so"), "manifest.library-missing", "the linker does not find"),
    "backslashes": (_saying(library_path=".\\x.so"), "manifest.library-missing", "the linker does not find"),
    "text": (_beside("x.so", b"hello, I am no library at all\n"), "manifest.not-a-library", "not a shared library"),
    "folder": (_saying(library_path="/usr"), "manifest.not-a-library", "cannot be read"),
    "32-bit": (_beside("x.so", _elf(3, 1)), "manifest.wrong-class", "a 32-bit x86 library"),
    "other-machine": (_beside("x.so", _elf(243, 2)), "manifest.wrong-machine", "a 64-bit RISC-V library"),
    "broken-elf": (_beside("x.so", _elf(62, 2)), "manifest.not-loaded", "cannot be loaded"),
    "no-driver": (_saying(library_path="libc.so.6"), "manifest.no-entry-point", "no vk_icdGetInstanceProcAddr"),
    "fuchsia": (
        _rooted(version=1, file_path="lib/x.so", manifest_path="data/x.json"),
        "manifest.fuchsia-metadata",
        "not the manifest",
    ),
    "fuchsia-2": (
        _rooted(version=2, file_path="x", manifest_path="y"),
        "manifest.fuchsia-metadata",
        "unknown version 2",
    ),
    "fuchsia-no-path": (_rooted(version=1, manifest_path="y"), "manifest.fuchsia-metadata", "without a file_path"),
}
NOTES: dict[str, tuple[Made, str]] = {
    "format": (
        _rooted(file_format_version="9.9.9", ICD={"library_path": "LIBRARY", "api_version": "1.1.0"}),
        "manifest.format-version",
    ),
    "api-number": (_saying(api_version=1.1), "manifest.api-version"),
    "api-word": (_saying(api_version="latest"), "manifest.api-version"),
    "portability": (_saying(is_portability_driver=True), "manifest.portability"),
}


@pytest.fixture(name="library")
def _library(lavapipe: str) -> str:
    """The good driver's library, as its manifest names it."""
    return str(json.loads(Path(lavapipe).read_text())["ICD"]["library_path"])


_NO_LOADER = {"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so"}


def _of(manifest: Path, beside: str = "", **environ: str) -> tuple[Finding, Finding]:
    """Return the finding about *manifest*, beside a good one or alone, and the branch."""
    where = _where(VK_DRIVER_FILES=f"{manifest}:{beside}" if beside else str(manifest), **environ)
    exams = examine_all(where).drivers
    tree = driver_findings(exams, where)
    return next(child for child in tree.children if child.subject == str(manifest)), tree


@pytest.mark.parametrize("name", CASES)
def test_each_fault_has_its_own_finding(name: str, tmp_path: Path, library: str, lavapipe: str) -> None:
    """Alone it fails with a sentence that names the file and the fault; a good driver beside it is usable.

    Without a loader, because versions of it differ in what they accept.
    """
    make, word, said = CASES[name]
    manifest = tmp_path / f"{name}.json"
    make(manifest, library)
    alone, tree = _of(manifest, **_NO_LOADER)
    assert (alone.id, str(manifest) in alone.sentence) == (word, True)
    assert said in alone.sentence
    is_good = alone.outcome in (Outcome.PASS, Outcome.INFO)
    assert is_good or alone.command
    assert tree.outcome is alone.outcome
    assert next(
        exam
        for exam in examine_all(_where(VK_DRIVER_FILES=f"{manifest}:{lavapipe}", **_NO_LOADER)).drivers
        if exam.manifest.path == lavapipe
    ).is_usable


@pytest.mark.parametrize("name", NOTES)
def test_what_the_loader_overlooks_is_a_note(name: str, tmp_path: Path, library: str) -> None:
    """The driver works, and the note says which loaders would reject it."""
    make, word = NOTES[name]
    manifest = tmp_path / f"{name}.json"
    make(manifest, library)
    found, tree = _of(manifest)
    assert (found.id, tree.outcome) == ("manifest.fine", Outcome.PASS)
    assert [(note.id, note.outcome) for note in found.children] == [(word, Outcome.INFO)]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('{\n  "a": 1,\n}', "2:9"),
        ('{"a" 1}', "1:6"),
        ("# x\n{}", "1:1"),
        ('{"a": 1,\n "b": [1, 2,\n ]}', "2:12"),
        ('{"a": "x', "1:7"),
    ],
)
def test_an_error_of_json_has_line_and_column(tmp_path: Path, content: str, place: str) -> None:
    """The place is that of the comma, not of the bracket behind it."""
    manifest = tmp_path / "bad.json"
    manifest.write_text(content)
    assert _of(manifest)[0].evidence == (f"{manifest}:{place}",)


def _put(path: Path, kind: str) -> None:
    """Put something that is not a regular file, or cannot be read, in a manifest's place."""
    if kind == "folder":
        path.mkdir()
    elif kind == "named pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "circle":
        path.symlink_to(path.name)
    elif kind == "dangling":
        path.symlink_to("/nonexistent/driver.json")
    elif kind == "huge":
        path.touch()
        os.truncate(path, 70 << 20)


NOT_FILES = {
    "folder": "is not a regular file, but a folder",
    "named pipe": "is not a regular file, but a named pipe",
    "socket": "is not a regular file, but a socket",
    "device": "is not a regular file, but a device",
    "circle": "is not a regular file: its links lead in a circle",
    "dangling": "is a link to /nonexistent/driver.json, which does not exist",
    "huge": "is larger than 1 MiB",
}


def test_what_is_not_a_regular_file_is_a_finding(vkzircon: Run, lavapipe: str, tmp_path: Path) -> None:
    """A file of any kind under a manifest's name is named without blocking, and the others are examined."""
    folder = tmp_path / "icd.d"
    folder.mkdir()
    for kind in NOT_FILES:
        _put(folder / f"{kind}.json", kind)
    began = time.monotonic()
    ran = vkzircon("doctor", "--format", "json", "--timeout", "1", VK_DRIVER_FILES=f"{folder}:{lavapipe}")
    assert time.monotonic() - began < 15
    assert ran.code == 1
    drivers = next(each for each in ran.json["findings"] if each["id"] == "drivers")
    told = {Path(each["subject"]).stem: each["sentence"] for each in drivers["children"]}
    for kind, words in NOT_FILES.items():
        assert words in told[kind]
    assert "which loads" in told[Path(lavapipe).stem]


def test_a_report_goes_on_past_a_folder_and_a_pipe(
    vkzircon: Run, broken_driver: Any, lavapipe: str, tmp_path: Path
) -> None:
    """Beside a driver that crashes, the search for the culprit reads every manifest and leaves out the bad ones."""
    for kind in ("folder", "named pipe"):
        _put(tmp_path / f"{kind}.json", kind)
    drivers = (tmp_path / "folder.json", tmp_path / "named pipe.json", broken_driver("abort();"), lavapipe)
    ran = vkzircon("--format", "json", "--timeout", "1", VK_DRIVER_FILES=":".join(map(str, drivers)))
    assert ran.code == 3
    assert [device["identity"]["value"]["name"][:8] for device in ran.json["devices"]] == ["llvmpipe"]
    assert any("named pipe" in culprit["sentence"] for culprit in ran.json["culprits"])


def test_a_problem_is_never_anothers(tmp_path: Path, library: str, lavapipe: str) -> None:
    """All faults at once: each file keeps its own finding, and the good one is usable."""
    for name, (make, _, _) in CASES.items():
        make(tmp_path / f"{name}.json", library)
    where = _where(VK_DRIVER_FILES=f"{tmp_path}:{lavapipe}", **_NO_LOADER)
    found = {Path(exam.manifest.path).stem: exam.finding.id for exam in examine_all(where).drivers}
    # Those share the one file that each of them would lay beside its manifest.
    shared = ("text", "32-bit", "other-machine", "broken-elf")
    own = {name: word for name, (_, word, _) in CASES.items() if word != "manifest.fine" and name not in shared}
    assert {name: found[name] for name in own} == own


_FILLED = "for (int i = 0; i < {mib} << 20; i += 4096) ((volatile char *)sbrk(4096))[0] = 1;"


@pytest.mark.parametrize(
    ("statement", "id", "outcome"),
    [
        ("raise(SIGSEGV);", "library.crashes", Outcome.CRASH),
        ("exit(0);", "library.exits", Outcome.CRASH),
        ("pause();", "library.hangs", Outcome.TIMEOUT),
        (_FILLED.format(mib=192), "library.memory", Outcome.FAIL),
    ],
)
@pytest.mark.usefixtures("less_memory")
def test_loading_costs_a_child_only(
    broken_driver: Callable[[str], str], lavapipe: str, statement: str, id: str, outcome: Outcome
) -> None:
    """A library that crashes, hangs or uses much memory while it is loaded is found, and a good one still loads."""
    manifest = Path(broken_driver(statement))
    found, _ = _of(manifest, lavapipe)
    assert (found.id, found.outcome) == (id, outcome)
    assert ("uses more than 512 MiB of memory" in found.sentence) is (id == "library.memory")


@pytest.mark.usefixtures("less_memory")
def test_no_driver_is_blamed_for_the_memory_of_another(broken_driver: Callable[[str], str]) -> None:
    """Each of two drivers uses less than the limit; the process that loads one after the other uses more."""
    manifests = [broken_driver(_FILLED.format(mib=80)) for _ in range(2)]
    with closing(LoaderTrial(_where(VK_DRIVER_FILES="/nonexistent"), manifests, ())) as trial:
        assert [tried.fate for tried in trial.asked().alone.values()] == [None, None]


def test_a_missing_dependency_is_named(tmp_path: Path) -> None:
    """A dependency of the driver's library is missing, not the library itself."""
    for name, needs in (("needed", ()), ("driver", ("-L.", "-lneeded"))):
        (tmp_path / f"{name}.c").write_text(f"void {name}(void) {{}}\n")
        command = ["cc", "-shared", "-fPIC", "-o", f"lib{name}.so", f"{name}.c", "-Wl,--no-as-needed", *needs]
        subprocess.run(command, cwd=tmp_path, check=True)
    (tmp_path / "libneeded.so").unlink()
    manifest = tmp_path / "driver.json"
    manifest.write_text(_body("./libdriver.so"))
    found, _ = _of(manifest)
    assert found.id == "manifest.missing-dependency"
    assert "needs libneeded.so" in found.sentence


def _devices(*manifests: str, loader: str = "") -> int:
    """Return how many devices the loader in the folder *loader*, else the system's, lists with these manifests."""
    env = {"PATH": os.environ["PATH"], "HOME": "/dev/null", "VK_DRIVER_FILES": ":".join(manifests)}
    env["LD_LIBRARY_PATH"] = loader
    asked = subprocess.run(["vulkaninfo", "--summary"], env=env, capture_output=True, check=False)
    return asked.stdout.count(b"deviceName")


@pytest.mark.parametrize("name", [*CASES, *NOTES])
def test_the_verdict_is_what_the_opened_loader_does(
    name: str, loader: dict[str, str], tmp_path: Path, library: str, lavapipe: str
) -> None:
    """With each loader: a usable manifest gives a device, and one that stops it hides the good driver beside it."""
    make = (CASES.get(name) or NOTES[name])[0]
    manifest = tmp_path / f"{name}.json"
    make(manifest, library)
    (exam,) = examine_all(_where(VK_DRIVER_FILES=str(manifest), **loader)).drivers
    folder = os.path.dirname(loader.get("VKZIRCON_LIBVULKAN", ""))  # noqa: PTH120
    assert _devices(str(manifest), loader=folder) == int(exam.is_usable)
    assert _devices(str(manifest), lavapipe, loader=folder) == (0 if exam.stops else 1 + exam.is_usable)


def _walk(finding: Finding) -> Iterator[Finding]:
    yield finding
    for child in finding.children:
        yield from _walk(child)


def test_a_likely_mistake_in_a_variable_is_named() -> None:
    """The entry is shown in quotes and unchanged, with the likely mistake."""
    for value, slip in (
        ('"/x.json"', "the quotes are part of the value"),
        ("~/x.json", "the shell did not expand the ~"),
        (" /x.json", "a blank is part of the value"),
        ("/x.json,/y.json", "not by commas"),
        ("/nonexistent", "which does not exist."),
    ):
        where = _where(VK_ICD_FILENAMES=value)
        drivers = driver_findings(examine_all(where).drivers, where)
        (found,) = [each for each in _walk(drivers) if each.id == "variable.not-found"]
        assert f'"{value}"' in found.sentence
        assert slip in found.sentence


def test_the_variable_in_force_is_used(lavapipe: str) -> None:
    """Of two variables the newer one counts, also where it is empty; with raised privileges neither does."""
    both = {"VK_DRIVER_FILES": lavapipe, "VK_ICD_FILENAMES": "/nonexistent.json"}
    assert [exam.manifest.path for exam in examine_all(_where(**both)).drivers] == [lavapipe]
    assert examine_all(_where(VK_DRIVER_FILES="", VK_ICD_FILENAMES=lavapipe)).drivers == ()
    elevated = Surroundings("linux", True, both, 1.0)
    assert "/nonexistent.json" not in [exam.manifest.path for exam in examine_all(elevated).drivers]


def test_an_empty_variable_takes_all_drivers_from_the_real_loader(lavapipe: str) -> None:
    """A variable that is set but empty is not unset, and overrides the older name."""
    for environ in ({"VK_DRIVER_FILES": "", "VK_ICD_FILENAMES": lavapipe}, {"VK_ICD_FILENAMES": ""}):
        asked = subprocess.run(
            ["vulkaninfo", "--summary"], env={**os.environ, **environ}, capture_output=True, text=True, check=False
        )
        assert "ERROR_INCOMPATIBLE_DRIVER" in asked.stdout + asked.stderr


@pytest.mark.parametrize("start", ["", '"', "[", '{"a":"'])
def test_no_text_takes_long_to_read(tmp_path: Path, start: str) -> None:
    """Reading time grows with the size of the file: the square of 250 kB would take minutes."""
    manifest = tmp_path / "long.json"
    for piece in ('\\"', '"', "\\", "[", "1", "-", "1e", "\x01", "\\u", "1,", '{"a":', " "):
        manifest.write_text(start + piece * (250_000 // len(piece)))
        began = time.process_time()
        with suppress(Unreadable):
            read_manifest(str(manifest))
        assert time.process_time() - began < 2, piece


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (({"api_version": 1.1}, "1.0.0"), "newer ones and Fuchsia's ignore the file"),
        (({}, "3.2.1"), "which the loader does not know but accepts"),
    ],
)
def test_what_is_only_worth_knowing_of_a_good_manifest_is_shown(
    vkzircon: Run, lavapipe: str, tmp_path: Path, changed: tuple[dict[str, object], str], said: str
) -> None:
    """A note about what other loaders reject is shown without --verbose."""
    good = json.loads(Path(lavapipe).read_text())["ICD"]
    icd, version = changed
    manifest = {"file_format_version": version, "ICD": {**good, **icd}}
    (tmp_path / "icd.json").write_text(json.dumps(manifest))
    ran = vkzircon("doctor", VK_DRIVER_FILES=str(tmp_path / "icd.json"))
    assert said in " ".join(ran.out.split())


@pytest.mark.parametrize(("library", "may_stop"), [(5, True), (5.0, True), (1.5, False), (12, False), (True, False)])
def test_of_numbers_for_a_library_only_one_digit_stops_a_loader(tmp_path: Path, library: float, may_stop: bool) -> None:
    """The loader 1.3.239 takes the number's digits for the name, without the first and the last."""
    manifest = tmp_path / "number.json"
    manifest.write_text(_body("x").replace('"x"', json.dumps(library)))
    (found,) = examine(str(manifest), ManifestKind.DRIVER)
    assert (found.problem and found.problem.id, found.may_stop) == ("manifest.wrong-type", may_stop)


@pytest.mark.parametrize(("number", "said"), [(512, 0), (513, 1)])
def test_a_folder_with_more_manifests_than_are_examined_is_named(tmp_path: Path, number: int, said: int) -> None:
    """A bound that is not told would hide a driver or a layer."""
    folder = tmp_path / "vulkan" / "explicit_layer.d"
    folder.mkdir(parents=True)
    for each in range(number):
        (folder / f"{each}.json").touch()
    where = _where(VK_DRIVER_FILES=str(folder), VK_LAYER_PATH=str(folder), **_NO_LOADER)
    examined = examine_all(where)
    for tree in (driver_findings(examined.drivers, where), layer_findings(examined.layers, where)):
        crowded = [child.sentence for child in tree.children if child.id == "folder.crowded"]
        assert crowded == [f"{folder} has {number} manifests, of which only 512 were examined."] * said
