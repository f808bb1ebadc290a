#!/bin/sh
# The command line of OpenBao, with nothing but VAULT_ADDR and VAULT_TOKEN. The first argument is the program.
set -eu
bao=$1

fails() { # fails STATUS TEXT COMMAND …
    wanted=$1 text=$2
    shift 2
    status=0
    said=$("$@" 2>&1) || status=$?
    [ "$status" = "$wanted" ] || { echo "$*: $status and not $wanted: $said" >&2; exit 1; }
    case $said in *"$text"*) ;; *) echo "$*: no \`$text\` in: $said" >&2; exit 1 ;; esac
}

is() { # is EXPECTED COMMAND …
    expected=$1
    shift
    said=$("$@")
    [ "$said" = "$expected" ] || { echo "$*: \`$said\` and not \`$expected\`" >&2; exit 1; }
}

"$bao" status >/dev/null
"$bao" token lookup -format=json >/dev/null
is sk-native "$bao" kv get -mount=secret -field=value dev/native
is sk-native "$bao" kv get -field=value secret/dev/native

"$bao" kv put secret/dev/bao api_key=one base_url=https://a >/dev/null
"$bao" kv put -cas=1 secret/dev/bao api_key=two base_url=https://b >/dev/null
fails 2 check-and-set "$bao" kv put -cas=1 secret/dev/bao api_key=three
"$bao" kv patch secret/dev/bao base_url=https://c >/dev/null
is https://c "$bao" kv get -field=base_url secret/dev/bao
is two "$bao" kv get -field=api_key secret/dev/bao
is one "$bao" kv get -version=1 -field=api_key secret/dev/bao
"$bao" kv list secret/dev | grep -qx bao
"$bao" kv list secret | grep -qx dev/

"$bao" kv delete secret/dev/bao >/dev/null
fails 2 "" "$bao" kv get -field=api_key secret/dev/bao
"$bao" kv undelete -versions=3 secret/dev/bao >/dev/null
is two "$bao" kv get -field=api_key secret/dev/bao
"$bao" kv delete -versions=1,2 secret/dev/bao >/dev/null
"$bao" kv destroy -versions=1 secret/dev/bao >/dev/null
"$bao" kv metadata get secret/dev/bao | grep -q "current_version *3"
"$bao" kv metadata put -custom-metadata=team=c secret/dev/bao >/dev/null
"$bao" kv metadata get -format=json secret/dev/bao | grep -q '"team": "c"'
"$bao" kv metadata delete secret/dev/bao >/dev/null
fails 2 "" "$bao" kv get secret/dev/bao
fails 2 "permission denied" "$bao" kv get secret/prod/secret
echo "bao: done"
