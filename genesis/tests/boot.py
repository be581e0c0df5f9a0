#!/usr/bin/env python3
"""Boots an image in the emulator and prints what genesis wrote to its log ring, whatever else works or not.

usage: boot.py x86_64|aarch64 IMAGE [SECONDS] [emulator arguments …]

The ring is found by its magic words in a dump of guest memory. Ends 0 when there is a ring."""
import os, socket, subprocess, sys, tempfile, time, json, struct

MACHINE = {
    "x86_64": (["qemu-system-x86_64", "-machine", "q35"], 0, 64 << 20),
    "aarch64": (["qemu-system-aarch64", "-machine", "virt,gic-version=3", "-cpu", "cortex-a57"], 0x4000_0000, 64 << 20),
}


def command(stream, name, **arguments):
    stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
    stream.flush()
    while True:
        answer = json.loads(stream.readline())
        if "return" in answer or "error" in answer:
            return answer


def rings(memory):
    at = memory.find(b"MetaLog!")
    while at >= 0:
        written, size = struct.unpack_from("<QQ", memory, at + 8)
        if size == 16 * 1024 and at + 24 + size <= len(memory):
            ring = memory[at + 24 : at + 24 + size]
            cut = written % size
            yield ring[:written] if written <= size else ring[cut:] + ring[:cut]
        at = memory.find(b"MetaLog!", at + 8)


def main():
    arch, image = sys.argv[1:3]
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 3
    start, base, size = MACHINE[arch]
    with tempfile.TemporaryDirectory() as folder:
        path, dump = os.path.join(folder, "qmp"), os.path.join(folder, "dump")
        emulator = subprocess.Popen(
            ["timeout", str(int(seconds) + 20)] + start
            + ["-accel", "tcg", "-m", "256", "-display", "none", "-serial", "none", "-monitor", "none", "-no-reboot",
               "-qmp", f"unix:{path},server=on,wait=off", "-kernel", image] + sys.argv[4:])
        for _ in range(100):
            if os.path.exists(path):
                break
            time.sleep(0.1)
        time.sleep(seconds)
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(path)
            stream = channel.makefile("rw")
            stream.readline()
            command(stream, "qmp_capabilities")
            command(stream, "pmemsave", val=base, size=size, filename=dump)
            registers = command(stream, "human-monitor-command", **{"command-line": "info registers"})
            command(stream, "quit")
        emulator.wait()
        with open(dump, "rb") as file:
            found = list(rings(file.read()))
    for text in found:
        sys.stdout.write(text.decode(errors="replace"))
    if "-v" in os.environ.get("BOOT", ""):
        print(registers["return"])
    return 0 if found else 1


sys.exit(main())
