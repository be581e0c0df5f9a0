#!/usr/bin/env python3
"""Boots a machine, types lines at its prompt, and writes what the terminal showed as an SVG picture.

usage: docs/picture.py [LINE …] [-- ARGUMENT OF ./meta run …] > docs/boot.svg

Without a line, `send` is typed. The machine is powered off at the end. Nothing is added to the text or taken from
it but control characters and the blank lines at its start."""
import html, os, re, subprocess, sys

PROMPT = b"meta> "
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ADVANCE, LINE, MARGIN = 7.25, 16, 12


def session(lines, arguments):
    command = [os.path.join(ROOT, "meta"), "run", "--timeout", "300", *arguments]
    guest = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    shown, searched = b"", 0
    for line in [*lines, "off"]:
        while PROMPT not in shown[searched:]:
            more = os.read(guest.stdout.fileno(), 4096)
            if not more:
                sys.exit("the machine ended before its prompt:\n" + shown.decode(errors="replace"))
            shown += more
        searched = len(shown)
        guest.stdin.write(line.encode() + b"\r")
        guest.stdin.flush()
    shown += guest.stdout.read()
    guest.wait()
    return shown.decode(errors="replace")


def rows(text):
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1bc", "", text).replace("\r", "")
    text = "".join(c for c in text if c == "\n" or c.isprintable())
    return text.strip("\n").split("\n")


def svg(rows):
    width = max(map(len, rows)) * ADVANCE + 2 * MARGIN
    height = len(rows) * LINE + 2 * MARGIN
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}">'
    yield '<rect width="100%" height="100%" rx="6" fill="#16181d"/>'
    yield '<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="12" fill="#d5d8de" xml:space="preserve">'
    for n, row in enumerate(rows):
        if row:
            y = MARGIN + n * LINE + 12
            length = f"{len(row) * ADVANCE:.0f}"
            yield f'<text x="{MARGIN}" y="{y}" textLength="{length}" style="white-space:pre">{html.escape(row)}</text>'
    yield "</g></svg>"


def main():
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    print("\n".join(svg(rows(session(words[:at] or ["send"], words[at + 1 :])))))


main()
