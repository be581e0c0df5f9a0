#!/usr/bin/env python3
"""Writes beside each reference/*.rdl what the reference compiler (`pip install systemrdl-compiler`) finds in it:
a line of each register: address, name, bytes; of each field: name, lowest bit, width, access, reset, named values."""
import pathlib
from importlib.metadata import version
from systemrdl import RDLCompiler
from systemrdl.node import AddrmapNode, MemNode, RegfileNode, RegNode


def registers(node, prefix=""):
    for child in node.children(unroll=True):
        index = getattr(child, "current_idx", None) or []
        if isinstance(child, (AddrmapNode, RegfileNode)):
            yield from registers(child, prefix + child.inst_name + "_".join(map(str, index)) + "_")
        elif isinstance(child, RegNode):
            flat = 0
            for dimension, at in zip(child.array_dimensions or [], index):
                flat = flat * dimension + at
            yield child, prefix + child.inst_name + (f"[{flat}]" if child.is_array else "")


def field(f):
    sw = {"rw1": "rw", "w1": "w"}.get(f.get_property("sw").name, f.get_property("sw").name)
    reset = f.get_property("reset")
    reset = reset if isinstance(reset, int) else "-"
    encode = f.get_property("encode")
    values = "".join(f" {m.name}={m.value}" for m in encode) if encode else ""
    return f"; {f.inst_name} {f.low} {f.width} {sw} {reset}{values}"


for path in sorted((pathlib.Path(__file__).parent / "reference").glob("*.rdl")):
    compiler = RDLCompiler()
    compiler.compile_file(str(path))
    top = compiler.elaborate().top
    lines = [
        f"{reg.absolute_address:010x} {name} {reg.size}" + "".join(field(f) for f in reg.fields())
        for reg, name in registers(top)
    ]
    head = f"# by reference.py with systemrdl-compiler {version('systemrdl-compiler')}\n"
    path.with_suffix(".account").write_text(head + "\n".join(sorted(lines)) + "\n")
