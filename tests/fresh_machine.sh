#!/usr/bin/env bash
# Proof U2: a bare Debian root that holds Python, git and make alone runs the README's commands, timed.
#   sudo tests/fresh_machine.sh [--test] [FOLDER]      --test: `make test` too; FOLDER: where the root is made
# Needs root and debootstrap. The settings of apt and pip are taken along; local package folders are mounted read-only.
set -euo pipefail
commands=(demo)
if [ "${1:-}" = --test ]; then commands+=(test) && shift; fi
checkout=$(cd "$(dirname "$0")/.." && pwd)
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "a root can only be made by root" >&2; exit 2; }
if [ -z "${MEDMM_FRESH_ROOT:-}" ]; then
  root=$(mktemp -d "${1:-/tmp}/medmm-fresh.XXXXXX")
  trap 'rm -rf --one-file-system "$root"' EXIT
  # mounts and processes of the root end with the script
  MEDMM_FRESH_ROOT=$root unshare --mount --pid --fork --kill-child bash "$checkout/tests/fresh_machine.sh" \
    $([ ${#commands[@]} = 2 ] && echo --test)
  exit
fi
root=$MEDMM_FRESH_ROOT

. /etc/os-release
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $VERSION_CODENAME" 'Created-By: Packages' 2>/dev/null | head -1)
echo "== a bare $VERSION_CODENAME root with python3, python3-venv, git and make"
debootstrap --variant=minbase --include=python3,python3-venv,git,make,ca-certificates "$VERSION_CODENAME" "$root" \
  "${mirror:-http://deb.debian.org/debian}" >"$root.log" 2>&1 || { tail -20 "$root.log" >&2; exit 1; }
rm -f "$root.log"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
git clone --quiet --no-hardlinks "$checkout" "$root/checkout"

# pip as it is set up here: its settings, its PIP_ variables, and the local places that they name
settings=$(python3 -m pip config list 2>/dev/null || true)
printf '[global]\n' >"$root/etc/pip.conf"
sed -nE "s/^(global|install)\.([a-z-]+)='(.*)'$/\2 = \3/p" <<<"$settings" | sed 's/\\n/ /g' >>"$root/etc/pip.conf"
mount --make-rprivate /
for place in $(grep -oE "(file://)?/[^' \\]+" <<<"$settings" | sed -E 's#^file://##; s#/simple/?$##' | sort -u); do
  if [ -d "$place" ]; then
    mkdir -p "$root$place" && mount --rbind "$place" "$root$place" && mount -o remount,bind,ro "$root$place"
  elif [ -f "$place" ]; then
    mkdir -p "$root$(dirname "$place")" && cp "$place" "$root$place"
  fi
done
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"

mapfile -t variables < <(env | grep -E '^(PIP_[A-Z_]+|https?_proxy|no_proxy)=' || true)
for command in "${commands[@]}"; do
  started=$SECONDS
  chroot "$root" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "${variables[@]}" \
    make -C /checkout "$command"
  echo "== make $command in a bare root: $((SECONDS - started)) s"
done
