#!/usr/bin/env python3
"""A second reader of docs/format.md: opens the vectors with Python's `cryptography` and nothing of ours.

    python3 vectors/check.py [FOLDER]

Reads envelope.json, environment-key-record.json, passphrase.json and derivations.json. Exits with 1 and names each case that
disagrees. Argon2id comes from `cryptography` 44 or later, or from `argon2-cffi`.
"""

import hashlib
import hmac
import json
import pathlib
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
HEADER, TAG = 115, 16
MAX_MEMORY, MAX_PASSES, MAX_LANES = 1024 * 1024, 16, 4


class Refused(Exception):
    """With the word that the vectors have for why."""


def refuse_unless(condition, why):
    if not condition:
        raise Refused(why)


def base62(data):
    number, text = int.from_bytes(data, "big"), ""
    for _ in range(22):
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def prefixed(data):
    return struct.pack(">I", len(data)) + data


class Reader:
    def __init__(self, data):
        self.data = data

    def take(self, length):
        refuse_unless(len(self.data) >= length, "truncated")
        taken, self.data = self.data[:length], self.data[length:]
        return taken

    def number(self, length):
        return int.from_bytes(self.take(length), "big")

    def prefixed(self):
        return self.take(self.number(4))


def begin(reader, magic):
    refuse_unless(reader.take(4) == magic, "not_sealed")
    refuse_unless(reader.number(1) == 1, "unsupported_format")


# Section "The one construction"


def open_sealed(key, purpose, vault, realm, generation, kind, record, namespace, environment, version, field, sealed):
    begin(Reader(sealed), b"IBYK")
    refuse_unless(len(sealed) >= HEADER + TAG, "truncated")
    header, ciphertext = sealed[:HEADER], sealed[HEADER:]
    salt, commitment = header[51:83], header[83:115]
    expected = b"IBYK" + struct.pack(">BB16s8sIB16s", 1, purpose, vault, realm, generation, kind, record)
    refuse_unless(header[:51] == expected, "open")
    derived = HKDF(hashes.SHA256(), 64, salt, b"ibyok/v1/seal" + bytes([purpose])).derive(key)
    refuse_unless(hmac.compare_digest(derived[32:], commitment), "open")
    unstored = [namespace.encode(), environment.encode(), struct.pack(">I", version), field.encode()]
    associated = header + b"".join(map(prefixed, unstored))
    try:
        return AESGCM(derived[:32]).decrypt(bytes(12), ciphertext, associated)
    except InvalidTag:
        raise Refused("open") from None


def check_envelope(case):
    unhex = {name: bytes.fromhex(case[name]) for name in ("key", "vault", "realm", "record", "sealed")}
    plain = {name: case[name] for name in ("purpose", "generation", "kind", "namespace", "environment", "version", "field")}
    return open_sealed(**unhex, **plain).hex()


# Section "KEKs of our own"


def kek_id(key):
    return mac(key, b"ibyok/v1/kek-id")[:16]


def unwrap_local(kek, vault, namespace, environment, wrapped):
    place = dict(vault=vault, realm=bytes(8), kind=1, record=kek_id(kek), namespace=namespace)
    key = open_sealed(kek, 1, generation=0, environment=environment, version=0, field="", sealed=wrapped, **place)
    refuse_unless(len(key) == 32, "open")
    return key


def argon2id(passphrase, salt, memory, passes, lanes):
    try:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        return Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory).derive(passphrase)
    except ImportError:
        from argon2.low_level import Type, hash_secret_raw

        return hash_secret_raw(passphrase, salt, passes, memory, lanes, 32, Type.ID, 0x13)


def check_passphrase(case):
    reader = Reader(bytes.fromhex(case["wrapped"]))
    salt, memory, passes, lanes = reader.take(16), reader.number(4), reader.number(4), reader.number(4)
    bounded = 1 <= passes <= MAX_PASSES and 1 <= lanes <= MAX_LANES and 8 * lanes <= memory <= MAX_MEMORY
    refuse_unless(bounded, "cost")
    kek = argon2id(case["passphrase"].encode(), salt, memory, passes, lanes)
    refuse_unless("passphrase:" + base62(kek_id(kek)) == case["kek_id"], "kek_denied")
    environment = case["environment"] or "whole"
    return unwrap_local(kek, bytes.fromhex(case["vault"]), case["namespace"], environment, reader.data).hex()


# Section "The environment key record"


def read_generation(reader):
    number, state = reader.number(4), reader.number(1)
    refuse_unless(state in (1, 2), "malformed")
    return number, state, reader.prefixed()


def read_clear_part(record):
    reader = Reader(record)
    begin(reader, b"IBYE")
    vault, tag = reader.take(16), reader.take(8)
    refuse_unless(all(chr(byte) in DIGITS for byte in tag), "malformed")
    namespace, environment = reader.prefixed().decode(), reader.prefixed().decode()
    generations, wrapped = [], []
    for _ in range(reader.number(1)):
        generations.append(read_generation(reader))
        wrapped.append(reader.prefixed())
    numbers = [number for number, _, _ in generations]
    refuse_unless(numbers == sorted(set(numbers)), "malformed")
    refuse_unless([state for _, state, _ in generations].count(1) == 1, "malformed")
    return vault, tag, namespace, environment, generations, wrapped, reader.data


def check_record(case):
    kek = bytes.fromhex(case["kek"])
    vault, tag, namespace, environment, generations, wrapped, sealed = read_clear_part(bytes.fromhex(case["record"]))
    name = "local:" + base62(kek_id(kek))
    refuse_unless(all(kek_name == name.encode() for _, _, kek_name in generations), "unknown_kek")
    keys = [unwrap_local(kek, vault, namespace, environment, one) for one in wrapped]
    (current, key) = next((one[0], key) for one, key in zip(generations, keys) if one[1] == 1)
    place = dict(vault=vault, realm=tag, kind=1, record=bytes(16), namespace=namespace, environment=environment)
    body = Reader(open_sealed(key, 2, generation=current, version=0, field="", sealed=sealed, **place))
    rev, secrets = body.number(8), [body.take(32).hex() for _ in range(3)]
    refuse_unless(body.number(1) == len(generations), "open")
    for clear, key in zip(generations, keys):
        refuse_unless(read_generation(body) == clear, "open")
        refuse_unless(body.take(32) == generation_check(key, clear[0]), "open")
    attributes = body.prefixed()
    refuse_unless(body.data == b"", "open")
    return {
        "kek_id": name,
        "vault": base62(vault),
        "tag": tag.decode(),
        "namespace": namespace,
        "environment": None if environment == "whole" else environment,
        "rev": rev,
        "attributes": attributes.hex(),
        "token_key": secrets[0],
        "name_key": secrets[1],
        "fingerprint_key": secrets[2],
        "generations": [
            {"number": number, "current": state == 1, "key": key.hex()}
            for (number, state, _), key in zip(generations, keys)
        ],
    }


# Section "What is derived"


def generation_check(key, number):
    return mac(key, b"ibyok/v1/generation" + struct.pack(">I", number))


def check_derivation(case):
    key, data, label = bytes.fromhex(case["key"]), bytes.fromhex(case["input"]), case["label"].encode()
    return {
        "record_id": lambda: base62(mac(key, b"ibyok/v1/record-id" + data)[:16]),
        "fingerprint": lambda: mac(key, b"ibyok/v1/fingerprint" + data).hex(),
        "keyed_hash": lambda: mac(mac(key, b"ibyok/v1/keyed-hash" + label), data).hex(),
        "generation": lambda: generation_check(key, int(label)).hex(),
        "kek_id": lambda: base62(kek_id(key)),
    }[case["of"]]()


FILES = {
    "envelope.json": (check_envelope, "plaintext"),
    "environment-key-record.json": (check_record, "opened"),
    "passphrase.json": (check_passphrase, "key"),
    "derivations.json": (check_derivation, "output"),
}


def disagreement(check, answer, case):
    """What is wrong, or None."""
    try:
        found, error = check(case), None
    except Refused as refused:
        found, error = None, str(refused)
    if (found, error) == (case[answer], case.get("error")):
        return None
    return f"expected {case[answer]!r}, error {case.get('error')!r}; found {found!r}, error {error!r}"


def main(folder):
    tried, wrong = 0, 0
    for name, (check, answer) in FILES.items():
        cases = json.loads((folder / name).read_text(encoding="utf-8"))["cases"]
        for case in cases:
            tried += 1
            problem = disagreement(check, answer, case)
            if problem:
                wrong += 1
                print(f"{name}: {case['name']}: {problem}")
    print(f"{tried} cases, {wrong} disagree")
    return 1 if wrong or not tried else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent))
