#!/usr/bin/env python3
"""A virtio console on an arm64 board, whose other end sends all the time: what the emulator says of it while the machine boots.
Run:  python3 console.py IMAGE"""
import os, socket, subprocess, sys, tempfile, threading, time
folder = tempfile.mkdtemp()
place = folder + "/line"
server = socket.socket(socket.AF_UNIX)
server.bind(place)
server.listen(1)
q = subprocess.Popen(["qemu-system-aarch64", "-machine", "virt,gic-version=3", "-cpu", "cortex-a57", "-m", "256", "-accel", "tcg",
    "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", "-chardev", f"socket,id=c0,path={place}",
    "-device", "virtio-serial-pci,disable-legacy=on", "-device", "virtconsole,chardev=c0", "-kernel", sys.argv[1]],
    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
line, _ = server.accept()
def send():
    try:
        while True: line.send(b"text"); time.sleep(.0005)
    except OSError: pass
def take():
    try:
        while line.recv(4096): pass
    except OSError: pass
for work in send, take: threading.Thread(target=work, daemon=True).start()
out, end = b"", time.time() + 80
os.set_blocking(q.stdout.fileno(), False)
while b"meta> " not in out and time.time() < end:
    out += q.stdout.read() or b""
    time.sleep(.05)
time.sleep(1)                                       # its driver serves the device from here on
q.kill()
said = q.stderr.read().decode()
print(out.decode("latin1"))
print("FAULT: the emulator says:", said) if said or b"meta> " not in out else print("ok: the emulator says nothing")
