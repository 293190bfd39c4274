#!/bin/sh
# Installs PostgreSQL's server where it is missing and apt-get may; else says what to do.
set -eu
if command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing postgresql (once)"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # Only the programs: no cluster of the system's own, and nothing that is started.
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
  apt-get install -y -qq --no-install-recommends postgresql >/dev/null
  exit 0
fi
echo "error: the integration test needs PostgreSQL's server. Install it (Debian: apt-get install postgresql)" \
  "or put initdb and postgres on PATH." >&2
exit 1
