# SPDX-License-Identifier: Apache-2.0
"""The second process: it imports for real, it may die or hang without harm, and it is gone when its work is done."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from program import Run

from vkzircon_cli.bindings.zircon import Zircon, open_zircon
from vkzircon_cli.emulation import installation
from vkzircon_cli.errors import Crashed, NotAsked, Refused, TimedOut
from vkzircon_cli.model.base import not_asked
from vkzircon_cli.model.facts import Identity
from vkzircon_cli.model.request import Emulate
from vkzircon_cli.model.spec import EXTENSION
from vkzircon_cli.model.vmo import Form
from vkzircon_cli.probe.handles import NO_KERNEL, OwnedHandle, duplicated
from vkzircon_cli.probe.patterns import new_pattern
from vkzircon_cli.probe.peer import DeviceAsked, FarImport, Importer, Peer, _Server
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.worker.process import Process

SIZE = 65_536


@pytest.fixture(name="kernel")
def _kernel(monkeypatch: pytest.MonkeyPatch, lavapipe: str, layer: installation.Installation) -> Zircon:
    """Open the emulation's libzircon, in surroundings in which the second process finds the layer."""
    assert layer.manifest.is_file()
    for name in ("VK_LAYER_PATH", "VK_ADD_LAYER_PATH", "VK_INSTANCE_LAYERS", "VKZIRCON_LIBZIRCON"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"VK_DRIVER_FILES": lavapipe, **installation.variables({}, Emulate())}.items():
        monkeypatch.setenv(name, value)
    return open_zircon(lambda _: None)


@pytest.fixture(name="second")
def _second(kernel: Zircon) -> Iterator[Peer]:
    made = Peer(kernel, 10)
    made.start()
    yield made
    made.close()


def _vmo(kernel: Zircon) -> OwnedHandle:
    return OwnedHandle(kernel, kernel.create(SIZE))


def _asked(before: str = "") -> FarImport:
    return FarImport(Form.PLAIN, 0, SIZE, SIZE, None, before, new_pattern(SIZE).period.hex())


def _device(kernel: Zircon, run: Run) -> DeviceAsked:
    """Ask the program itself which device there is."""
    assert kernel.library
    (device,) = run("devices", "--format", "json").json["devices"]
    who = device["identity"]["value"]
    return DeviceAsked(0, decode(Identity, who), (EXTENSION,))


def _pid(second: Peer) -> int:
    assert isinstance(second._process, Process)
    return second._process._pid


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_imports_what_is_sent(kernel: Zircon, second: Peer, emulated: Run) -> None:
    """It sees what was in the VMO, and what it writes is in there; the handle left this process."""
    second.open(_device(kernel, emulated))
    handle, before = _vmo(kernel), new_pattern(SIZE)
    with duplicated(kernel, handle.value) as kept:
        before.put_into(kernel, kept.value)
        asked = _asked(before.period.hex())
        found = second.imports(asked, handle)
        assert found.kept.value is not None
        assert (found.kept.value.count, found.kept.value.wrong) == (SIZE, 0)
        assert kernel.compare(kept.value, bytes.fromhex(asked.after), SIZE) == (0, 0)
        assert not kernel.valid(handle.value)


def test_it_sees_when_the_bytes_are_others(kernel: Zircon, second: Peer, emulated: Run) -> None:
    """What it compares is the memory that it imported."""
    second.open(_device(kernel, emulated))
    found = second.imports(_asked(new_pattern(SIZE).period.hex()), _vmo(kernel))
    assert found.kept.value is not None
    assert found.kept.value.wrong == SIZE


def test_another_device_is_not_taken_for_it(kernel: Zircon, second: Peer, emulated: Run) -> None:
    """A device at the same index with no UUID, another vendor and another name is not imported on."""
    asked = _device(kernel, emulated)
    other = replace(asked.identity, name="another", vendor_id=1, uuids=not_asked("needs Vulkan 1.1"))
    second.open(replace(asked, identity=other))
    with pytest.raises(NotAsked, match="does not find the device"):
        second.imports(_asked(), _vmo(kernel))


def test_a_refusal_comes_back_as_one(kernel: Zircon, second: Peer, emulated: Run) -> None:
    """What the driver says there is what stands in the report here."""
    second.open(_device(kernel, emulated))
    small = OwnedHandle(kernel, kernel.create(4096))
    with pytest.raises(Refused) as refused:
        second.imports(_asked(), small)
    assert refused.value.said == "vkAllocateMemory returned VK_ERROR_INVALID_EXTERNAL_HANDLE"


def test_its_death_is_told_once(kernel: Zircon, second: Peer, emulated: Run) -> None:
    """Who killed it stands in the answer; what would have been asked after that is not asked."""
    second.open(_device(kernel, emulated))
    second.imports(_asked(), _vmo(kernel))
    os.kill(_pid(second), signal.SIGKILL)
    with pytest.raises(Crashed) as crashed:
        second.imports(_asked(), _vmo(kernel))
    assert crashed.value.missing.reason == "the second process was killed by SIGKILL"
    with pytest.raises(NotAsked, match="died before"):
        second.imports(_asked(), _vmo(kernel))


def test_a_hang_costs_the_limit_and_nothing_stays(kernel: Zircon, emulated: Run) -> None:
    """A process that answers no more is not waited for twice, and is ended."""
    second = Peer(kernel, 10)
    second.start()
    second.open(_device(kernel, emulated))
    second.imports(_asked(), _vmo(kernel))
    pid, second._limit_s = _pid(second), 0.2
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"within 0\.2 s"):
        second.imports(_asked(), _vmo(kernel))
    with pytest.raises(NotAsked, match="gave no answer before"):
        second.imports(_asked(), _vmo(kernel))
    second.close()
    assert time.monotonic() - began < 2
    assert _is_gone(pid)


def test_a_late_one_is_not_the_drivers_fault(kernel: Zircon) -> None:
    """A process that is not there yet says nothing of the driver."""
    second = Peer(kernel, 0.001)
    second.start()
    os.kill(_pid(second), signal.SIGSTOP)
    with pytest.raises(NotAsked, match="did not start in time"):
        second.imports(_asked(), _vmo(kernel))
    second.close()


def test_where_there_is_none_it_says_why(kernel: Zircon, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel, no fork, a kernel without the call: each is a reason."""
    handle = _vmo(kernel)
    monkeypatch.setenv("VKZIRCON_PLATFORM", "fuchsia")
    for given, reason in ((None, NO_KERNEL), (kernel, "no second process can be forked here")):
        second = Peer(given, 10)
        second.start()
        with pytest.raises(NotAsked, match=reason):
            second.imports(_asked(), handle)
        second.close()
    handle.close()


def test_no_handle_and_no_file_stays(kernel: Zircon, emulated: Run) -> None:
    """However it ended, the process that asked has the handles and files that it had before."""
    handles, files = kernel.open_handles(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        second = Peer(kernel, 10)
        second.start()
        second.open(_device(kernel, emulated))
        second.imports(_asked(), _vmo(kernel))
        second.close()
    assert kernel.open_handles() == handles
    assert len(list(Path("/proc/self/fd").iterdir())) == files


def test_its_crash_is_in_the_report(emulated: Run) -> None:
    """With a driver that dies of every import, the report ends as it does without a second process."""
    ran = emulated("--format", "json", "--fault", "segfault-in-import")
    assert ran.code == 5
    row = next(row for row in ran.json["checks"] if row["id"] == "import.second-process")
    died = "the second process was killed by SIGSEGV"
    assert (row["outcome"], row["sentence"]) == ("crash", f"Memory type 0: the driver crashed ({died}).")


def test_one_that_is_not_needed_leaves_in_silence(emulated: Run) -> None:
    """Where nothing is exported it is ended before it is there, which is no word in the report."""
    for fault in ("export-zero", "refuse-get", "refuse-device"):
        assert emulated("--format", "json", "--fault", fault).json["run"]["output"]["text"] == ""


def test_without_a_kernel_both_are_skipped(vkzircon: Run, lavapipe: str, layer: installation.Installation) -> None:
    """With no libzircon the Vulkan side is tested, and what goes through channels is not."""
    given = installation.variables({}, Emulate())
    layers = {name: given[name] for name in ("VK_ADD_LAYER_PATH", "VK_INSTANCE_LAYERS")}
    assert layer.libzircon.is_file()
    ran = vkzircon("--format", "json", VK_DRIVER_FILES=lavapipe, **layers)
    told = {row["id"]: (row["outcome"], row["sentence"]) for row in ran.json["checks"]}
    for name in ("export.survives-channel", "import.second-process"):
        assert told[name] == ("skip", f"Memory type 0: {NO_KERNEL}.")


@pytest.mark.parametrize("message", [b"\xff", b"[]", b"{}", b'{"DeviceAsked": 5}', b'{"FarImport": {}}'])
def test_a_message_that_changed_on_its_way_is_not_the_drivers_fault(kernel: Zircon, message: bytes) -> None:
    """A channel of an agent's device may return anything."""
    ours, theirs = kernel.create_channel()
    kernel.write_channel(ours, message)
    with pytest.raises(NotAsked, match="a message changed in the channel"):
        _Server(kernel, theirs, Importer(kernel)).answer()
    for end in (ours, theirs):
        kernel.close(end)
