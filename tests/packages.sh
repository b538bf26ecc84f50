#!/bin/sh
# Installs the packages of packages.txt that are missing, where that can be done (root on Debian). Elsewhere it says
# what is missing; the tests that need it are then skipped, each with its reason.
set -eu
list=$(grep -v '^#' "$(dirname "$0")/packages.txt")

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "not a Debian system: tests against the kernel are skipped where a program of these is missing:" $list
    exit 0
fi

missing=""
for package in $list; do
    case $(dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null || true) in
        *" installed") ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "missing Debian packages, without which tests against the kernel are skipped:$missing"
    exit 0
fi

echo "installing$missing ..."
# tshark would ask who may capture.
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# Of a server the tests want the program alone: where nobody has said otherwise, no service is started.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] && policy="" || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"; }
trap 'rm -f "$log" ${policy:+"$policy"}' EXIT

install() {
    # shellcheck disable=SC2086
    apt-get -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends $missing
}

# The lists of packages may be absent or old: fetch them only then.
install >"$log" 2>&1 || { apt-get update && install; } >"$log" 2>&1 || {
    cat "$log" >&2
    echo "cannot install$missing" >&2
    exit 1
}
