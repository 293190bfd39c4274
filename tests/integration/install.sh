#!/bin/sh
# Installs what the stack's tests need of the system where it is missing and apt-get may; else says what to do.
set -eu
packages=""
command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages="postgresql"
command -v faketime >/dev/null || packages="$packages faketime"
[ -n "$packages" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing $packages (once)"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # Only the programs: no cluster of the system's own, and nothing that is started.
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
  # shellcheck disable=SC2086  # one word a package
  apt-get install -y -qq --no-install-recommends $packages >/dev/null
  exit 0
fi
echo "error: the integration test needs PostgreSQL's server and faketime. Install them (Debian: apt-get install" \
  "postgresql faketime) or put their programs (initdb, postgres, faketime) on PATH." >&2
exit 1
