#!/bin/bash
# A private Docker engine (Debian's docker.io) on a socket of its own, for tests; needs root.
#   docker.sh install        the packages
#   docker.sh start [DIR]    starts the engine unless it is up, and prints the DOCKER_HOST to use
#   docker.sh stop [DIR]     stops it; images stay for the next start
# Default DIR: $TMPDIR/reprise-engines/docker
set -euo pipefail
verb=${1:-} dir=${2:-${TMPDIR:-/tmp}/reprise-engines/docker}
up() { curl -fsS --max-time 5 --unix-socket "$dir/docker.sock" http://localhost/_ping >/dev/null 2>&1; }
# dockerd writes its pid file itself; a file from before a reboot may name somebody else by now.
alive() { [ -f "$dir/docker.pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$(cat "$dir/docker.pid")/cmdline" | grep -qF "$dir/data"; }
case $verb in
install)
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends docker.io iptables curl >/dev/null
  dockerd --version ;;
start)
  mkdir -p "$dir"
  exec 9>"$dir/lock"; flock 9
  if ! alive; then
    rm -f "$dir/docker.pid" "$dir/docker.sock"
    setsid dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/docker.pid" \
      -H "unix://$dir/docker.sock" >"$dir/log" 2>&1 </dev/null 9>&- &
  fi
  for _ in $(seq 300); do
    if up; then echo "DOCKER_HOST=unix://$dir/docker.sock"; exit 0; fi
    sleep 0.1
  done
  echo "dockerd did not come up; see $dir/log" >&2; exit 1 ;;
stop)
  alive || exit 0
  pid=$(cat "$dir/docker.pid"); kill "$pid"
  for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || exit 0; sleep 0.1; done
  echo "dockerd ($pid) does not stop" >&2; exit 1 ;;
*) sed -n '2,6s/^# //p' "$0" >&2; exit 2 ;;
esac
