# SPDX-License-Identifier: Apache-2.0
"""Which files the loader's log names, in the words of its versions."""

import time

import pytest

from vkzircon_cli.doctor.loader_log import manifests_in


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("LAYER:                  /usr/share/x.json", "/usr/share/x.json"),
        ("DRIVER:                 ./drivers/x.json", "./drivers/x.json"),
        ("DRIVER:                 /opt/my drivers/x y.json", "/opt/my drivers/x y.json"),
        ("[Vulkan Loader] DRIVER:          /a/x.json", "/a/x.json"),
        ("LAYER:                       Manifest: /a b/x.json", "/a b/x.json"),
        ('INFO:             Found manifest file /a b/x.json (file version "1.0.0")', "/a b/x.json"),
        ('DRIVER:           Found ICD manifest file x.json, version "1.0.0"', "x.json"),
        ("[Vulkan Loader] DEBUG | DRIVER: Found ICD manifest file /a/x.json, version 1.0.1", "/a/x.json"),
        ("ERROR:            loader_get_json: Failed to parse JSON file /a/x.json, this is usually", "/a/x.json"),
        ("ERROR | DRIVER:   loader_get_json: Failed to open JSON file /a/x.json", "/a/x.json"),
        ("WARNING: 'layer' in \"/a/x.json\" is missing", "/a/x.json"),
    ],
)
def test_what_the_loader_names_is_found(line: str, path: str) -> None:
    """Each file once, however often the log names it."""
    assert manifests_in(f"{line}\n\n{line}\n".encode()) == (path.encode(),)


@pytest.mark.parametrize(
    "line",
    [
        "loaded /home/alice/.docker/config.json",
        "/home/alice/.docker/config.json",
        "mylayer: INFO: /home/alice/keys.json",
        "INFO: Searching in /etc/vulkan/icd.d",
        "INFO: /a/x.json.bak",
        "DRIVER: Found ICD manifest file without an end",
        "INFO:",
        "",
    ],
)
def test_what_others_name_is_not(line: str) -> None:
    """Drivers and layers print into the same log, and may name private files."""
    assert manifests_in(line.encode()) == ()


@pytest.mark.parametrize("words", [" " * 60_000, "/" * 60_000, " /" * 30_000, "Found manifest file .json/" * 2_500])
def test_long_lines_take_no_long_time(words: str) -> None:
    """Each line is searched once, in linear time."""
    began = time.process_time()
    manifests_in(f"INFO: {words}".encode())
    assert time.process_time() - began < 2


def test_bytes_stay_as_they_are() -> None:
    """A folder whose name is not UTF-8 is found."""
    assert manifests_in(b"INFO: /a\xff/x.json") == (b"/a\xff/x.json",)
