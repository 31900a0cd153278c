#!/usr/bin/env bash
# A short run of the random clients of tests/stress/imap; by hand it runs for hours.
set -eu
"$ROOST_TOP/tests/stress/imap" --seconds "${STRESS_SECONDS:-12}" --clients 5
"$ROOST_TOP/tests/stress/imap" --seconds "${STRESS_SECONDS:-12}" --clients 5 --servers 2 --foreign
