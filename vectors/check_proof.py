#!/usr/bin/env python3
"""A second reader of proofs, written from docs/audit.md alone.

    check_proof.py                checks every case of proof.json beside this file
    check_proof.py FILE KEY       checks a proof under a public key, and prints the line

Needs the `cryptography` package. Exit code 0 when everything is as it should be.
"""

import base64
import json
import pathlib
import sys

from check_chain import Bad, parse_key, sha256
from cryptography.exceptions import InvalidSignature

HEADER = "c2sp.org/tlog-proof@v1"


def root_of(leaf, index, size, path):
    """RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        raise Bad("the index is not below the size")
    node, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise Bad("there are too many hashes")
        if node & 1 or node == last:
            result = sha256(b"\x01", sibling, result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = sha256(b"\x01", result, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise Bad("there are too few hashes")
    return result


def decode(text):
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Bad("a part of it is not valid base64") from error


def check(proof, key):
    """The line that is proved."""
    name, key_hash, public = key
    head, sep, note = proof.partition("\n\n")
    lines = head.split("\n")
    if not sep or len(lines) < 3 or lines[0] != HEADER:
        raise Bad("it does not begin as a proof does")
    if not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise Bad("`extra` and `index` do not follow")
    line, index = decode(lines[1][6:]), lines[2][6:]
    if not index.isascii() or not index.isdigit() or str(int(index)) != index:
        raise Bad("the index is no plain number")
    body, sep, signature = note.partition("\n\n")
    parts, signed = body.split("\n"), signature.rstrip("\n").split(" ")
    if not sep or len(parts) != 3 or len(signed) != 3 or parts[0] != name or signed[:2] != ["\u2014", name]:
        raise Bad("the checkpoint is not one of this log")
    raw = decode(signed[2])
    if raw[:4] != key_hash:
        raise Bad("the checkpoint is signed by another key")
    try:
        public.verify(raw[4:], (body + "\n").encode())
    except InvalidSignature as error:
        raise Bad("the signature of the checkpoint does not hold") from error
    path = [decode(text) for text in lines[3:]]
    if any(len(hash) != 32 for hash in path):
        raise Bad("one of its hashes does not have 32 bytes")
    if root_of(sha256(b"\x00", line), int(index), int(parts[1]), path) != decode(parts[2]):
        raise Bad("the line is not in the tree of the checkpoint")
    said = json.loads(line)
    if said["seq"] != int(index) + 1 or f"ibyok-audit/{said['log']}" != name:
        raise Bad("the line names another place in the log as its own")
    return line.decode("ascii")


def check_vectors(path):
    vectors = json.loads(path.read_text())
    key, wrong = parse_key(vectors["key"]), 0
    for case in vectors["cases"]:
        try:
            check(case["proof"], key)
            found = None
        except Bad as bad:
            found = str(bad)
        right = (found is None) == case["ok"]
        wrong += not right
        print(f"{'ok  ' if right else 'FAIL'} {case['name']}: {found or 'good'}")
    return wrong


if __name__ == "__main__":
    if len(sys.argv) == 3:
        try:
            print(check(pathlib.Path(sys.argv[1]).read_text(), parse_key(sys.argv[2])))
        except Bad as bad:
            sys.exit(f"the proof does not hold: {bad}")
    else:
        sys.exit(min(check_vectors(pathlib.Path(__file__).with_name("proof.json")), 1))
