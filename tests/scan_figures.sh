#!/bin/sh
# Measures `ibyok scan` as docs/scan.md reports it: recall on generated keys, and what it reports in published packages.
#
#     tests/scan_figures.sh [DIRECTORY]
#
# Packages go below DIRECTORY (a temporary one unless given). Crates are those that cargo already unpacked for this workspace; npm's
# newest packages are fetched with `npm pack`, which runs none of their scripts. Findings are listed in DIRECTORY/*.txt to be judged.
set -eu

PACKAGES="express react next webpack axios lodash typescript eslint vite stripe openai @anthropic-ai/sdk @aws-sdk/client-s3 firebase
mongoose pg mysql2 redis ioredis knex sequelize passport jsonwebtoken node-fetch got request puppeteer playwright-core
@supabase/supabase-js posthog-js @slack/web-api discord.js twilio @sendgrid/mail nodemailer @octokit/rest dotenv prisma typeorm drizzle-orm"

top=$(cd "$(dirname "$0")/.." && pwd)
directory=${1:-$(mktemp -d)}
mkdir -p "$directory/npm"
directory=$(cd "$directory" && pwd)

(cd "$top" && cargo build --release --quiet -p ibyok-scan --example figures)
figures="${CARGO_TARGET_DIR:-$top/target}/release/examples/figures"

"$figures" recall

(cd "$top" && cargo fetch --quiet)
for crates in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
    "$figures" findings "$crates" 2>"$directory/crates.txt"
done

cd "$directory/npm"
for package in $PACKAGES; do
    npm pack --silent "$package" >/dev/null || echo "not fetched: $package" >&2
done
for archive in *.tgz; do
    mkdir -p "x/${archive%.tgz}"
    tar xzf "$archive" -C "x/${archive%.tgz}"
done
"$figures" findings "$directory/npm/x" 2>"$directory/npm.txt"
echo "the findings are listed in $directory" >&2
