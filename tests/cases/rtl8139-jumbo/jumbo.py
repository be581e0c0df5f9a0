#!/usr/bin/env python3
"""A jumbo frame on an RTL8139: what lies behind its receive arena (32 KiB + 2 KiB) is overwritten by the sender's bytes.
Run:  python3 jumbo.py IMAGE [bytes of the frame, 9000]"""
import socket, subprocess, sys, time, re, os, threading, tempfile
image, size = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 9000
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); wire.bind(("127.0.0.1", 0))
free = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); free.bind(("127.0.0.1", 0))
here, there = free.getsockname()[1], wire.getsockname()[1]    # UDP ports of card and sender, on this machine
free.close()
folder = tempfile.mkdtemp()
ser, mon = folder + "/ser", folder + "/mon"
q = subprocess.Popen(["qemu-system-x86_64", "-machine", "q35", "-m", "256", "-accel", "tcg", "-nodefaults", "-display", "none", "-no-reboot",
    "-serial", f"unix:{ser},server=on,wait=off", "-monitor", f"unix:{mon},server=on,wait=off", "-kernel", image,
    "-netdev", f"dgram,id=n0,local.type=inet,local.host=127.0.0.1,local.port={here},remote.type=inet,remote.host=127.0.0.1,remote.port={there}",
    "-device", "rtl8139,netdev=n0"])
while not (os.path.exists(ser) and os.path.exists(mon)): time.sleep(.05)
time.sleep(.2)
def line(path):
    s = socket.socket(socket.AF_UNIX); s.connect(path); s.settimeout(.4); return s
console, monitor = line(ser), line(mon)
def read(s, until, most):
    text, end = "", time.time() + most
    while time.time() < end and until not in text:
        try: text += s.recv(65536).decode("latin1")
        except socket.timeout: pass
    return text
def ask(what):
    monitor.send((what + "\n").encode()); time.sleep(.15)
    text = read(monitor, "\0", .6); return text
read(console, "meta> ", 60)
bar = int(re.search(r"BAR0: I/O at 0x([0-9a-f]+)", ask("info pci")).group(1), 16)
ring = int(re.findall(r"= 0x([0-9a-f]+)", ask(f"i /w {bar + 0x30:#x}"))[-1], 16)
behind = ring + 32 * 1024 + 2 * 1024
word = lambda at: re.findall(r": (0x[0-9a-f]+)", ask(f"xp /1xw {at:#x}"))[-1:]
print(f"arena at {ring:#x}, ends at {behind:#x}; behind it:", word(behind), word(behind + 1024))
head = b"\xff" * 6 + b"\x02\0\0\0\0\1\x88\xb5"
for n in range(21):                                           # ordinary frames, until the next one stands near the end of the ring
    wire.sendto((head + bytes(1486)), ("127.0.0.1", here)); time.sleep(.03)
wire.sendto((head + b"\xee" * size)[:size], ("127.0.0.1", here)); time.sleep(.5)
after = word(behind), word(behind + 1024)
print("after one frame of", size, "bytes:", *after)
print("FAULT: memory behind the arena is the sender's" if any("0xeeeeeeee" in w for w in after) else "ok: nothing behind the arena changed")
q.terminate()
