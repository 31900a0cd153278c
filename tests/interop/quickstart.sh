#!/usr/bin/env bash
# tools/quickstart builds, makes its site, delivers, and a TLS client reads the subjects back.
set -eu
read -r imap imaps lmtp < <(python3 -c '
import socket
s = [socket.socket() for _ in range(3)]
for x in s: x.bind(("127.0.0.1", 0))
print(*(x.getsockname()[1] for x in s))')
dir=$(mktemp -d)
chmod 755 "$dir"
trap 'rm -rf "$dir"' EXIT
DEMO=$dir/demo IMAP_PORT=$imap IMAPS_PORT=$imaps LMTP_PORT=$lmtp timeout 500 "$ROOST_TOP/tools/quickstart" --check >"$dir/out" 2>&1 ||
	{ cat "$dir/out"; exit 1; }
grep -q 'Subject: Welcome to Roost' "$dir/out" || { cat "$dir/out"; exit 1; }
grep -q 'Roost is running' "$dir/out"
echo 'quickstart: well'
