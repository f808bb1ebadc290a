#!/usr/bin/env python3
"""A second reader of the audit log, written from docs/audit.md alone.

    check_chain.py                checks every case of chain.json beside this file
    check_chain.py PLACE          checks the log in each slot of a directory

Needs the `cryptography` package. Exit code 0 when everything is as it should be.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FIELDS = (
    "v seq time log prev action phase outcome reason principal namespace environment key key_id "
    "version mode mode_source target record rev count client request_id trace_id"
).split()
# Lines that were written before it was added.
WITHOUT_MODE_SOURCE = [field for field in FIELDS if field != "mode_source"]
# Only lines that state something have it.
STATES = ["floors", "store_change", "store_epoch"]
# Only a line that accepts an older record has it.
ACCEPTED = "accepted"
FLOORS = ["generation", "count", "digest"]


class Bad(Exception):
    """What is wrong, for people."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root(leaves):
    """RFC 6962 section 2.1, by its definition."""
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01", root(leaves[:k]), root(leaves[k:]))


def canonical(text):
    """A string as it stands in a line: printable ASCII, everything else as \\uxxxx."""
    units = text.encode("utf-16-be", "surrogatepass")
    out = []
    for i in range(0, len(units), 2):
        unit = int.from_bytes(units[i : i + 2], "big")
        char = chr(unit)
        if char in '"\\':
            out.append("\\" + char)
        elif 0x20 <= unit <= 0x7E:
            out.append(char)
        else:
            out.append(f"\\u{unit:04x}")
    return '"' + "".join(out) + '"'


def encode(value):
    if isinstance(value, dict):
        return "{" + ",".join(f"{canonical(k)}:{encode(v)}" for k, v in value.items()) + "}"
    if isinstance(value, str):
        return canonical(value)
    return "null" if value is None else str(value)


def has_form(event):
    names = list(event)
    if names[-1:] == ["mac"]:
        if not isinstance(event["mac"], str) or not re.fullmatch("[0-9a-f]{32}", event["mac"]):
            return False
        names.pop()
    if names[-1:] == ["states"]:
        states = event["states"]
        stated = isinstance(states, dict) and list(states) in (STATES, [*STATES, ACCEPTED]) and any(v is not None for v in states.values())
        if not stated or (states["floors"] is not None and list(states["floors"]) != FLOORS):
            return False
        names.pop()
    return names in (FIELDS, WITHOUT_MODE_SOURCE)


def check_lines(log, lines):
    prev = "0" * 64
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
        except ValueError as error:
            raise Bad(f"line {number} is not JSON") from error
        if not has_form(event) or encode(event) != line:
            raise Bad(f"line {number} is not in the one form that a line has")
        if (event["v"], event["seq"], event["log"]) != (1, number, log):
            raise Bad(f"line {number} is not the one that belongs there")
        if event["prev"] != prev:
            raise Bad(f"line {number} does not follow the one before it")
        prev = sha256(line.encode()).hex()


def parse_key(text):
    name, key_hash, encoded = text.split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    if raw[0] != 1 or sha256(name.encode(), b"\n", raw)[:4].hex() != key_hash:
        raise Bad("the verifying key is not one")
    return name, bytes.fromhex(key_hash), Ed25519PublicKey.from_public_bytes(raw[1:])


def check_note(note, key, leaves):
    name, key_hash, public = key
    body, signature = note.split("\n\n")
    origin, size, encoded_root = body.split("\n")
    dash, signer, encoded = signature.rstrip("\n").split(" ")
    raw = base64.b64decode(encoded, validate=True)
    if (dash, origin, signer, raw[:4]) != ("\u2014", name, name, key_hash):
        raise Bad("a checkpoint is another log's")
    try:
        public.verify(raw[4:], (body + "\n").encode())
    except InvalidSignature as error:
        raise Bad(f"the signature of the checkpoint of {size} lines does not hold") from error
    if int(size) > len(leaves):
        raise Bad(f"a checkpoint speaks of {size} lines and there are {len(leaves)}")
    if base64.b64decode(encoded_root) != root(leaves[: int(size)]):
        raise Bad(f"the first {size} lines are not those of their checkpoint")


def has_mac(line, line_key):
    """Whether a line carries its MAC."""
    said, _, mac = line.rpartition(',"mac":"')
    right = hmac.new(line_key, said.encode(), hashlib.sha256).hexdigest()[:32]
    return mac == right + '"}'


def check_unsigned(lines, covered, line_key):
    """A session is signed before it goes on, and at its end: lines that were added to a log at rest have no checkpoint.

    Whoever has the key of the lines knows as well that each of them was written by somebody who has it."""
    if line_key and not all(has_mac(line, line_key) for line in lines[covered:]):
        raise Bad("a line without a checkpoint does not carry its MAC")
    if covered and json.loads(lines[covered - 1])["action"] != "log.close":
        return
    for line in lines[covered:]:
        if json.loads(line)["action"] not in ("log.open", "log.gap"):
            raise Bad("lines that should be signed have no checkpoint")


def check(log, key, lines, notes, line_key=None):
    check_lines(log, lines)
    leaves = [sha256(b"\x00", line.encode()) for line in lines]
    for note in notes:
        check_note(note, key, leaves)
    check_unsigned(lines, max((int(note.split("\n")[1]) for note in notes), default=0), line_key)


def check_vectors(path):
    vectors = json.loads(path.read_text())
    key = parse_key(vectors["key"])
    wrong = 0
    for case in vectors["cases"]:
        try:
            check(vectors["log"], key, case["lines"], case["checkpoints"], bytes.fromhex(vectors["line_key"]))
            found = None
        except Bad as bad:
            found = str(bad)
        right = (found is None) == case["ok"]
        wrong += not right
        print(f"{'ok  ' if right else 'FAIL'} {case['name']}: {found or 'good'}")
    return wrong


def split_notes(text):
    parts = text.split("\n\n")
    return [f"{body}\n\n{signature}\n" for body, signature in zip(parts[0::2], parts[1::2])]


def check_place(place):
    wrong = 0
    for slot in sorted(place.glob("slot-*")):
        if not (slot / "log.pub").exists():
            continue
        # Checkpoints first: the log may grow meanwhile.
        notes = split_notes((slot / "checkpoints").read_text())
        data = b"".join(path.read_bytes().rstrip(b"\0") for path in sorted(slot.glob("audit-*.log")))
        lines = data.decode("ascii").split("\n")[:-1]
        try:
            check((slot / "id").read_text().strip(), parse_key((slot / "log.pub").read_text().strip()), lines, notes)
            print(f"ok   {slot.name}: {len(lines)} lines, {len(notes)} checkpoints")
        except Bad as bad:
            wrong += 1
            print(f"BAD  {slot.name}: {bad}")
    return wrong


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(1 if check_place(pathlib.Path(sys.argv[1])) else 0)
    sys.exit(1 if check_vectors(pathlib.Path(__file__).with_name("chain.json")) else 0)
