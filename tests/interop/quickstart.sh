#!/usr/bin/env bash
# tools/quickstart builds (without optimizing: sooner), makes its site, delivers, and a TLS client reads the subjects back.
set -eu
read -r imap imaps lmtp < <(PYTHONPATH=$ROOST_TOP/tests/lib python3 -c 'import testsite; print(*testsite.free_ports(3))')
dir=$(mktemp -d)
chmod 755 "$dir"
trap 'rm -rf "$dir"' EXIT
CFLAGS=-O0 DEMO=$dir/demo IMAP_PORT=$imap IMAPS_PORT=$imaps LMTP_PORT=$lmtp timeout 500 "$ROOST_TOP/tools/quickstart" --check >"$dir/out" 2>&1 ||
	{ cat "$dir/out"; exit 1; }
grep -q 'Subject: Welcome to Roost' "$dir/out" || { cat "$dir/out"; exit 1; }
grep -q 'Roost is running' "$dir/out"
echo 'quickstart: well'
