#!/usr/bin/env python3
"""Checks token.json with an implementation of docs/tokens.md of its own: Python's standard library alone.

    python3 vectors/check_token.py [token.json]
"""

import datetime
import hashlib
import hmac
import ipaddress
import json
import pathlib
import re
import sys
import zlib

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
WIDTHS = [0, 2, 3, 5, 6, 7, 9, 10, 11]
SCOPES = [
    "keys:read", "keys:list", "keys:write", "keys:rotate", "keys:destroy", "usage:read",
    "audit:read", "tokens:issue", "tokens:revoke", "settings:write", "incidents:write", "admin",
]
# What docs/tokens.md gives to secret scanners.
SCANNER = re.compile(r"ibyok_[0-9A-Za-z]{30}_[0-9A-Za-z]{59,763}")
MIN_SECOND, MAX_SECOND = -377705023201, 253402207200


class Malformed(Exception):
    pass


def require(holds, fault="form"):
    if not holds:
        raise Malformed(fault)


def number(digits):
    value = 0
    for digit in digits:
        value = value * 62 + DIGITS.index(digit)
    return value


def unblock(text):
    out = b""
    for start in range(0, len(text), 11):
        block = text[start:start + 11]
        require(len(block) in WIDTHS)
        size = WIDTHS.index(len(block))
        require(number(block) < 256**size)
        out += number(block).to_bytes(size, "big")
    return out


class Bytes:
    def __init__(self, data):
        self.data = data

    def take(self, size):
        require(len(self.data) >= size)
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def record(self):
        """Type or number, length in two bytes, bytes."""
        kind = self.number(1)
        return kind, self.take(self.number(2))


def ascending(items):
    require(all(a < b for a, b in zip(items, items[1:])))


def texts(value, form):
    reader, out = Bytes(value), []
    while reader.data:
        text = reader.take(reader.number(1))
        require(re.fullmatch(form, text))
        out.append(text)
    ascending(out)
    return [text.decode() for text in out]


def time(value):
    require(len(value) == 12)
    second = int.from_bytes(value[:8], "big", signed=True)
    nanosecond = int.from_bytes(value[8:], "big")
    require(nanosecond < 10**9)
    require(MIN_SECOND <= second <= MAX_SECOND)
    return second, nanosecond


def networks(value):
    reader, encoded, out = Bytes(value), [], []
    while reader.data:
        before = reader.data
        family, prefix = reader.number(1), reader.number(1)
        require(family in (4, 6))
        address = ipaddress.ip_address(reader.take(4 if family == 4 else 16))
        require(prefix <= address.max_prefixlen)
        try:
            network = ipaddress.ip_network((address, prefix))
        except ValueError:  # host bits
            raise Malformed("form") from None
        require(family == 4 or prefix < 96 or address.ipv4_mapped is None)
        encoded.append(before[:len(before) - len(reader.data)])
        out.append(str(network))
    ascending(encoded)
    return out


def restriction(payload):
    """What a restriction says, or None if it is not understood."""
    reader, numbers, out, understood = Bytes(payload), [], {}, True
    require(payload)
    while reader.data:
        kind, value = reader.record()
        numbers.append(kind)
        ascending(numbers)
        if kind == 1:
            if all(1 <= scope <= len(SCOPES) for scope in value):
                ascending(value)
                out["scopes"] = [SCOPES[scope - 1] for scope in value]
            else:
                understood = False
        elif kind == 2:
            out["environments"] = texts(value, rb"[a-z0-9][a-z0-9-]{0,62}")
        elif kind == 3:
            out["keys"] = texts(value, rb"[A-Za-z0-9._*?-]{1,128}")
        elif kind == 4:
            out["not_before"] = time(value)
        elif kind == 5:
            out["expires"] = time(value)
        elif kind == 6:
            out["cidrs"] = networks(value)
        elif kind == 7:
            require(not value)
            out["pending_only"] = True
        elif kind == 9:
            require(not value)
            out["no_self_rotate"] = True
        else:
            understood = False
    return out if understood else None


def parse(token):
    require(len(token.encode()) <= 1200, "too_long")
    require(token.startswith("ibyok_"), "prefix")
    checked = token[len("ibyok_"):]
    require(re.fullmatch(r"[0-9A-Za-z]{30}_[0-9A-Za-z]{6,}", checked), "characters")
    summed, checksum = checked[:-6], checked[-6:]
    require(number(checksum) == zlib.crc32(summed.encode()), "checksum")
    tag, digits = summed[:8], summed[8:30]
    require(number(digits) < 256**16)
    body = Bytes(unblock(summed[31:]))
    require(body.number(1) == 1, "version" if summed[31:] else "form")
    epoch, count = body.number(4), body.number(1)
    require(count <= 8)
    entries, restrictions = [], []
    for _ in range(count):
        before = body.data
        kind, payload = body.record()
        entries.append(before[:len(before) - len(body.data)])
        restrictions.append(restriction(payload) if kind == 1 else None)
    require(sum(map(len, entries)) <= 512)
    mac = body.take(32)
    require(not body.data)
    return {
        "id": summed[:30], "tag": tag, "id_bytes": number(digits).to_bytes(16, "big"), "epoch": epoch,
        "entries": entries, "restrictions": restrictions, "mac": mac,
    }


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def verify(token, key):
    """The chains of the token and its ancestors, the minted one first; None if it is not this key's."""
    root = b"ibyok/token/1" + token["tag"].encode() + token["id_bytes"] + token["epoch"].to_bytes(4, "big")
    macs = [mac(key, root)]
    for entry in token["entries"]:
        macs.append(mac(macs[-1], entry))
    if not hmac.compare_digest(macs[-1], token["mac"]):
        return None
    return [mac(key, b"ibyok/chain/1" + each)[:8].hex() for each in macs]


def instant(text):
    """RFC 3339 in UTC as seconds and nanoseconds; Python's own times stop at microseconds and at year 1."""
    year, rest, fraction = re.fullmatch(r"(-?\d+)(-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z", text).groups()
    # 400 years are 146,097 days; moved into Python's range and back.
    cycles = (int(year) - 2000) // 400
    moved = datetime.datetime.fromisoformat(f"{int(year) - 400 * cycles:04}{rest}+00:00")
    second = int((moved - datetime.datetime.fromtimestamp(0, datetime.timezone.utc)).total_seconds())
    return second + cycles * 146097 * 86400, int((fraction or ".")[1:].ljust(9, "0"))


def with_instants(said):
    if said is None:
        return None
    return {k: instant(v) if k in ("not_before", "expires") else v for k, v in said.items()}


def main():
    default = pathlib.Path(__file__).with_name("token.json")
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    vectors = json.loads(path.read_text())
    key = bytes.fromhex(vectors["token_key"])
    wrong = []

    def check(name, holds):
        if not holds:
            wrong.append(name)

    for case in vectors["valid"]:
        try:
            token = parse(case["token"])
        except Malformed as fault:
            wrong.append(f"{case['name']}: {fault}")
            continue
        check(case["name"], SCANNER.findall(f'TOKEN="{case["token"]}"') == [case["token"]])
        chains = verify(token, key)
        check(case["name"], chains == case["ancestors"] + [case["chain"]])
        check(case["name"], (token["id"], token["tag"]) == (case["id"], case["tag"]))
        check(case["name"], token["id_bytes"].hex() == case["id_bytes"] and token["epoch"] == case["epoch"])
        check(case["name"], token["restrictions"] == [with_instants(said) for said in case["restrictions"]])
    for case in vectors["unauthenticated"]:
        check(case["name"], verify(parse(case["token"]), key) is None)
    for case in vectors["malformed"]:
        try:
            parse(case["token"])
            wrong.append(case["name"])
        except Malformed as fault:
            check(f"{case['name']}: {fault} for {case['fault']}", str(fault) == case["fault"])

    count = sum(len(vectors[kind]) for kind in ("valid", "unauthenticated", "malformed"))
    for name in wrong:
        print(f"wrong: {name}", file=sys.stderr)
    print(f"{count - len(set(wrong))} of {count} token vectors are right")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
