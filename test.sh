#!/usr/bin/env bash
# Runs every check of the project. On a Debian machine it first installs the peers that the integration tests talk to.
#
#	./test.sh          formatting, module file, vet, staticcheck, tests with -race, integration tests (10 minutes at most)
#	./test.sh -long    adds the long random runs, every fuzz target and every benchmark once (45 minutes at most)
#
# Environment:
#	CI=true            whatever had to be left out is a failure, and so is a test that was skipped
#	ADCSKIT_VECTORS    folder with the real messages cut from Microsoft's documents, which are not ours to ship; without
#	                   it the tests that need them are skipped, and nothing else
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1

# The peers are configured as their packages have them, whatever programs of this user need.
unset OPENSSL_CONF

staticcheck_version=v0.8.2
peers=(openssl gnutls-bin libnss3-tools default-jdk-headless libplist-utils
	python3-cryptography python3-gssapi python3-impacket python3-samba
	swtpm swtpm-tools tpm2-tools tpm2-openssl libtss2-tcti-swtpm0 libtss2-tctildr0
	samba samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind krb5-user ldb-tools smbclient
	freeradius eapoltest krb5-kdc krb5-admin-server krb5-pkinit libfaketime)

long=false
case "${1:-}" in
"") ;;
-long) long=true ;;
*)
	sed -n '2,10s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac

failed=()
left_out=()
started=$SECONDS

step() { # step NAME COMMAND...: runs a check and notes when it failed
	local name=$1 from=$SECONDS
	shift
	printf '== %s\n' "$name"
	if "$@"; then
		printf '   ok, %d s\n' $((SECONDS - from))
	else
		failed+=("$name")
		printf '   FAILED: %s\n' "$name"
	fi
}

# as_root runs a command as root, if that is possible without asking for a password.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		sudo "$@"
	else
		return 1
	fi
}

missing_peers() {
	local p
	for p in "${peers[@]}"; do
		dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || printf '%s\n' "$p"
	done
}

# install_peers installs what is missing and keeps the packages from starting daemons, now and with the machine:
# policy-rc.d is Debian's way to say so, and one that was there before stays as it was.
install_peers() {
	local policy=/usr/sbin/policy-rc.d made=false status=0
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null || return 1
		as_root chmod 755 $policy
		made=true
	fi
	as_root apt-get update -q >/dev/null &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >/dev/null || status=1
	if $made; then as_root rm -f $policy; fi
	disable_services "$@"
	return $status
}

disable_services() { # disable_services PACKAGE...
	local services
	command -v systemctl >/dev/null || return 0
	mapfile -t services < <(dpkg-query -L "$@" 2>/dev/null | sed -n 's#.*/systemd/system/\([^/]*\.service\)$#\1#p')
	[ ${#services[@]} -eq 0 ] || as_root systemctl --quiet disable "${services[@]}" 2>/dev/null || true
}

tags=integration
if ! command -v dpkg-query >/dev/null; then
	left_out+=("integration tests: not a Debian machine; they need: ${peers[*]}")
	tags=
else
	mapfile -t missing < <(missing_peers)
	if [ ${#missing[@]} -gt 0 ]; then
		printf '== installing %s\n' "${missing[*]}"
		install_peers "${missing[@]}" || true
		mapfile -t missing < <(missing_peers)
	fi
	if [ ${#missing[@]} -gt 0 ]; then
		left_out+=("integration tests: these packages are missing and could not be installed: ${missing[*]}")
		tags=
	fi
fi

formatted() {
	local files
	files=$(gofmt -l .) || return 1
	[ -z "$files" ] || { printf 'not formatted:\n%s\n' "$files" && return 1; }
}

vet() { # vet GOOS
	GOOS=$1 CGO_ENABLED=0 go vet ./... && GOOS=$1 CGO_ENABLED=0 go vet -tags integration ./...
}

# run_tests lets the test binaries share the domain that the first of them provisions: a copy each, in a folder that
# root may have written. It keeps the whole output in a file and prints the summary: packages, failures with their
# output, the ten slowest tests, and last the counts.
run_tests() {
	local flags=(-race -shuffle=on -count=1 -json -tags "$tags") results
	results=$(mktemp)
	if $long; then
		export ADCSKIT_LONG=1
		flags+=(-timeout 25m)
	else
		flags+=(-timeout 9m)
	fi
	ADCSKIT_ADTEST_CACHE=$(mktemp -d)
	export ADCSKIT_ADTEST_CACHE
	go test "${flags[@]}" ./... >"$results"
	go run .ci/summary.go "$results"
	local status=$?
	rm -rf "$ADCSKIT_ADTEST_CACHE" 2>/dev/null || as_root rm -rf "$ADCSKIT_ADTEST_CACHE"
	rm -f "$results"
	return $status
}

# fuzz_one runs one target. The end of -fuzztime is now and then taken for a failure of the target, which is then run
# again (go.dev/issue/75804, in Go before 1.27): a real failure leaves the input that failed. Without -fuzzminimizetime
# a long input that is new keeps a worker busy for a minute with making it shorter.
fuzz_one() { # fuzz_one PACKAGE TARGET OUTPUT
	local _
	for _ in 1 2 3; do
		go test -run '^$' -fuzz "^$2\$" -fuzztime 10s -fuzzminimizetime 100x "$1" >"$3" 2>&1 && return
		grep -q '^    context deadline exceeded$' "$3" && ! grep -q 'Failing input' "$3" || return 1
	done
	return 1
}

# fuzz runs every fuzz target for a while. A package without seeds or with a target that does not build fails.
fuzz() {
	local pkg target status=0 output
	output=$(mktemp)
	for pkg in $(go list ./...); do
		for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz'); do
			printf '   %s %s\n' "${pkg#github.com/adcskit/adcskit/}" "$target"
			fuzz_one "$pkg" "$target" "$output" || {
				cat "$output"
				status=1
			}
		done
	done
	rm -f "$output"
	return $status
}

step "gofmt" formatted
step "go mod tidy" go mod tidy -diff
step "vet for linux" vet linux
step "vet for windows" vet windows
step "vet for darwin" vet darwin
step "staticcheck" go run "honnef.co/go/tools/cmd/staticcheck@$staticcheck_version" -tags "$tags" ./...
if $long; then
	step "fuzz targets" fuzz
	step "benchmarks, once each" go test -run '^$' -bench . -benchtime 1x ./...
fi
step "tests with -race${tags:+, integration tests included}" run_tests

printf '\n%d minutes %d seconds\n' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60))
if [ -z "${ADCSKIT_VECTORS:-}" ]; then
	printf "NOT RUN: comparison with Microsoft's real messages: ADCSKIT_VECTORS names no folder with them\n"
fi
for what in "${left_out[@]}"; do printf 'LEFT OUT: %s\n' "$what"; done
for what in "${failed[@]}"; do printf 'FAILED: %s\n' "$what"; done
if [ ${#failed[@]} -gt 0 ]; then exit 1; fi
if [ ${#left_out[@]} -gt 0 ] && [ "${CI:-}" = true ]; then
	printf 'With CI=true nothing may be left out.\n'
	exit 1
fi
if [ ${#left_out[@]} -eq 0 ]; then printf 'everything passed\n'; else printf 'what ran passed\n'; fi
