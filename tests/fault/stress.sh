#!/usr/bin/env bash
# Short runs of the random clients of tests/stress/imap; by hand they run for hours.
set -eu
seconds=${STRESS_SECONDS:-$((${ROOST_SANITIZED:-0} ? 5 : 8))}
stress() {
	"$ROOST_TOP/tests/stress/imap" --seconds "$@"
}
stress "$seconds" --stdio --parallel 1
stress "$seconds" --stdio --servers 2 --foreign
stress "$((seconds + 4))" --users 3 --clients 12 --deliver --foreign --kill
stress "$seconds" --pooled --deliver --foreign --delete-index
