#!/usr/bin/env python3
"""A second reader of docs/backup-format.md: reads backup.backup, checks its digest and its MAC, and opens a value of it.

    python3 vectors/check_backup.py [FILE]

The KEK is in the file. Exits with 1 and names the fault if the file disagrees with the page.
"""

import hashlib
import hmac
import json
import pathlib
import struct
import sys

import check

FIRST_LINE = b"ibyok-backup v1\n"
LABEL = b"ibyok backup manifest v1"
REALM, KEY = 1, 3


def frames(data):
    """Each frame as its offset, kind and payload."""
    check.refuse_unless(data.startswith(FIRST_LINE), "first_line")
    at = len(FIRST_LINE)
    while at < len(data):
        kind, length = struct.unpack_from(">cI", data, at)
        payload = data[at + 5 : at + 5 + length]
        check.refuse_unless(len(payload) == length, "truncated")
        yield at, kind, payload
        at += 5 + length


def read(data):
    records, files, manifest, end = {}, {}, None, None
    for count, (at, kind, payload) in enumerate(frames(data)):
        check.refuse_unless(end is None, "after_the_end")
        if kind == b"H":
            head = json.loads(payload)
        elif kind == b"S":
            length = payload[0]
            files[payload[1 : 1 + length].decode()] = payload[1 + length :]
        elif kind == b"R":
            records[payload[:25]] = payload[33:]
        elif kind == b"G":
            records.pop(payload, None)
        elif kind == b"M":
            manifest = payload
            told = json.loads(payload)
            check.refuse_unless(told["sha256"] == hashlib.sha256(data[:at]).hexdigest(), "digest")
            check.refuse_unless((told["bytes"], told["frames"]) == (at, count), "counts")
            check.refuse_unless(told["vault"] == head["vault"], "vault")
        elif kind == b"E":
            end = payload
        else:
            check.refuse_unless(kind == b"F", "unknown_frame")
    check.refuse_unless(end is not None, "truncated")
    return records, files, manifest, end


def realms(records, kek):
    """Each environment key record, opened: its keys by namespace and environment."""
    opened = {}
    for name, record in records.items():
        if name[0] == REALM:
            told = check.check_record({"kek": kek.hex(), "record": record.hex()})
            opened[f"{told['namespace']}/{told['environment'] or 'whole'}"] = told
    return opened


def main(path):
    data = path.read_bytes()
    records, files, manifest, end = read(data)
    of_realm = realms(records, files["kek"])
    told = json.loads(manifest)
    key = bytes.fromhex(of_realm[told["realm"]]["fingerprint_key"])
    expected = check.mac(check.mac(key, b"ibyok/v1/keyed-hash" + LABEL), manifest)
    check.refuse_unless(hmac.compare_digest(expected, end), "mac")
    prod = of_realm["default/prod"]
    keys = [name for name in records if name[0] == KEY and name[1:9] == prod["tag"].encode()]
    check.refuse_unless(len(keys) == 1, "one key of prod")
    for cut in range(len(data)):
        try:
            read(data[:cut])
        except (check.Refused, struct.error, json.JSONDecodeError, UnboundLocalError):
            continue
        sys.exit(f"a backup that is cut at {cut} reads as a whole one")
    print(f"{len(records)} records of {len(of_realm)} realms; the digest and the MAC agree")


if __name__ == "__main__":
    folder = pathlib.Path(__file__).parent
    try:
        main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "backup.backup")
    except check.Refused as refused:
        sys.exit(f"backup.backup: {refused}")
