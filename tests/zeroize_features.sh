#!/usr/bin/env bash
# Asserts that memory is wiped: `zeroize` is an optional feature of the crates that hold keys, and one edit of a manifest away
# from being lost. It is asked of each of our own crates alone, since a program with more in it can only have more features on.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
check() { # check PACKAGE CRATE…: in PACKAGE's tree each CRATE is there, and in every version has its feature `zeroize` on
    local package=$1 tree crate found
    shift
    tree=$(cargo tree --package "$package" --edges normal --prefix none --format '{p} [{f}]' | sed 's/ (\*)$//' | sort -u)
    for crate; do
        found=$(grep "^$crate v" <<<"$tree" || true)
        if [ -z "$found" ]; then
            echo "$package does not use $crate any more: correct the list"
            failed=1
        elif grep -Eqv '[[,]zeroize[],]' <<<"$found"; then
            echo "$package has $crate without zeroize: $found"
            failed=1
        fi
    done
}

check ibyok-crypto aes aes-gcm argon2 block-buffer cipher ctr digest ghash hmac polyval sha2
check ibyok-policy block-buffer digest hmac sha2
check ibyok-audit block-buffer curve25519-dalek digest ed25519-dalek hmac sha2

[ "$failed" = 0 ] && echo "zeroize is on in every crate that holds keys"
exit "$failed"
