# SPDX-License-Identifier: Apache-2.0
"""Reads Vulkan's registry, vk.xml: the structs that may extend others, their layouts, and what commands take."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree as ET

# Types of C, the base types, and types of window systems and kernels, which vk.xml does not describe.
_SIZED = {
    "int": "int",
    "float": "float",
    "int32_t": "int32_t",
    "uint32_t": "uint32_t",
    "uint64_t": "uint64_t",
    "VkFlags": "uint32_t",
    "VkFlags64": "uint64_t",
    "VkBool32": "uint32_t",
    "VkDeviceSize": "uint64_t",
    "VkDeviceAddress": "uint64_t",
    "zx_handle_t": "uint32_t",
    "DWORD": "uint32_t",
    "HANDLE": "void *",
    "LPCWSTR": "void *",
    "NvSciBufAttrList": "void *",
    "NvSciBufObj": "void *",
    "IOSurfaceRef": "void *",
    "MTLBuffer_id": "void *",
    "MTLTexture_id": "void *",
}


def _is_vulkan(element: ET.Element) -> bool:
    """Whether *element* is Vulkan's own: vk.xml also has variants for Vulkan SC."""
    return "vulkan" in element.get("api", "vulkan").split(",")


class Registry:
    """One vk.xml."""

    def __init__(self, path: Path) -> None:
        self._root = ET.parse(path).getroot()
        self._types = {
            name: element
            for element in self._root.findall("types/type")
            if _is_vulkan(element) and (name := element.get("name") or element.findtext("name"))
        }

    @property
    def version(self) -> tuple[int, ...]:
        """Return the version of Vulkan: major, minor and patch."""
        complete = "".join(self._types["VK_HEADER_VERSION_COMPLETE"].itertext())
        _, major, minor, _ = complete.partition("(")[2].split(",")
        return int(major), int(minor), int("".join(self._types["VK_HEADER_VERSION"].itertext()).split()[-1])

    @cached_property
    def values(self) -> dict[str, int]:
        """Return the numbers of VkStructureType by name."""
        values = {}
        for element in self._root.findall("enums[@name='VkStructureType']/enum"):
            if "value" in element.attrib:
                values[element.attrib["name"]] = int(element.attrib["value"], 0)
        for place in (*self._root.findall("feature"), *self._root.findall("extensions/extension")):
            for enum in place.iterfind(".//enum[@extends='VkStructureType'][@offset]"):
                number = int(enum.get("extnumber") or place.attrib["number"])
                values[enum.attrib["name"]] = 1000000000 + (number - 1) * 1000 + int(enum.attrib["offset"])
        return values

    def extending(self, base: str) -> Iterator[str]:
        """Yield the structs that may be in the pNext chain of *base*."""
        for name, element in self._types.items():
            if base in element.get("structextends", "").split(","):
                yield name

    def members(self, struct: str) -> Iterator[ET.Element]:
        """Yield the members of *struct*, and none for a name that is no struct."""
        element = self._types.get(struct)
        if element is None:
            return
        if alias := element.get("alias"):
            yield from self.members(alias)
            return
        yield from filter(_is_vulkan, element.findall("member"))

    def structure_type(self, struct: str) -> int:
        """Return the sType of *struct*."""
        return self.values[next(iter(self.members(struct))).attrib["values"]]

    def layout(self, struct: str) -> str:
        """Return the members of *struct* after pNext, in types of C that need no header of Vulkan."""
        return " ".join(self._member(each) for each in list(self.members(struct))[2:])

    def _member(self, member: ET.Element) -> str:
        text, name = "".join(member.itertext()), member.findtext("name", "")
        if "*" in text:
            return f"void *{name};"
        if "[" in text:
            raise ValueError(f"{name} is an array, which no such struct had so far")
        declared = self._type(member.findtext("type", ""))
        return f"{declared}{name};" if declared.endswith("*") else f"{declared} {name};"

    def _type(self, name: str) -> str:
        if name in _SIZED:
            return _SIZED[name]
        element = self._types[name]
        match element.get("category"):
            case "enum":
                return "int32_t"
            case "bitmask":
                return _SIZED[element.findtext("type", "VkFlags")]
            case "handle":
                return "void *" if element.findtext("type") == "VK_DEFINE_HANDLE" else "uint64_t"
        raise ValueError(f"the layout of {name} is not known")

    def commands_that_take(self, structs: set[str]) -> set[str]:
        """Return the commands with a parameter of one of *structs*, or of a struct that leads to one."""
        found, aliases = set(), {}
        for command in self._root.findall("commands/command"):
            if not _is_vulkan(command):
                continue
            if alias := command.get("alias"):
                aliases[command.attrib["name"]] = alias
            elif any(self._leads_to(each.findtext("type", ""), structs, set()) for each in command.findall("param")):
                found.add(command.findtext("proto/name", ""))
        return found | {name for name, alias in aliases.items() if alias in found}

    def _leads_to(self, struct: str, wanted: set[str], seen: set[str]) -> bool:
        if struct in wanted:
            return True
        if struct in seen:
            return False
        seen.add(struct)
        return any(self._leads_to(each.findtext("type", ""), wanted, seen) for each in self.members(struct))
