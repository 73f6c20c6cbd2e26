# SPDX-License-Identifier: Apache-2.0
"""Write _abi.py from abi.h: ``python -m vkzircon_cli.bindings.abi_build``. Never imported at run time.

Importing the written module takes 1 ms; parsing the same declarations at run time takes 25 ms.
"""

import re
from pathlib import Path

import cffi

SOURCE = Path(__file__).with_name("abi.h")
GENERATED = Path(__file__).with_name("_abi.py")
# The prototype of a system call or of one of our own functions.
_PROTOTYPE = re.compile(r"^(\w[\w *]*?[ *])((?:zx|vkz)_\w+)(\([^;]*\));$", re.MULTILINE)


def generate(path: Path) -> None:
    """Write the module of `SOURCE`'s declarations to *path*."""
    ffi = cffi.FFI()
    source = SOURCE.read_text(encoding="utf-8")
    # A function that is called in another process needs a type that does not look up its address in this one.
    types = "".join(f"typedef {result}(*PFN_{name}){rest};\n" for result, name, rest in _PROTOTYPE.findall(source))
    ffi.cdef(source + types)
    ffi.set_source("vkzircon_cli.bindings._abi", None)
    ffi.emit_python_code(str(path))


if __name__ == "__main__":
    generate(GENERATED)
