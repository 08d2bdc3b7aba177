#!/bin/bash
# Podman with storage of its own, and its Docker-compatible service on a socket of its own, for tests; needs root.
#   podman.sh install        the packages
#   podman.sh start [DIR]    starts the service unless it is up, and prints what to export
#   podman.sh stop [DIR]     stops it; images stay for the next start
# Default DIR: $TMPDIR/reprise-engines/podman
# crun is refused where cgroups are mounted in hybrid mode, and raising rlimits is refused without CAP_SYS_RESOURCE:
# hence runc and the explicit ulimits.
set -euo pipefail
verb=${1:-} dir=${2:-${TMPDIR:-/tmp}/reprise-engines/podman}
up() { curl -fsS --max-time 5 --unix-socket "$dir/podman.sock" http://localhost/_ping >/dev/null 2>&1; }
alive() { [ -f "$dir/podman.pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$(cat "$dir/podman.pid")/cmdline" | grep -qF "$dir/podman.sock"; }
case $verb in
install)
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends podman runc catatonit containernetworking-plugins curl >/dev/null
  podman --version ;;
start)
  mkdir -p "$dir"
  exec 9>"$dir/lock"; flock 9
  if ! alive; then
    rm -f "$dir/podman.pid" "$dir/podman.sock"
    cat >"$dir/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
    cat >"$dir/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$dir/root"
runroot = "$dir/run"
CONF
    CONTAINERS_CONF="$dir/containers.conf" CONTAINERS_STORAGE_CONF="$dir/storage.conf" \
      setsid podman system service -t 0 "unix://$dir/podman.sock" >"$dir/log" 2>&1 </dev/null 9>&- &
    echo $! >"$dir/podman.pid"
  fi
  for _ in $(seq 300); do
    if up; then
      echo "CONTAINER_HOST=unix://$dir/podman.sock"
      echo "CONTAINERS_CONF=$dir/containers.conf"
      echo "CONTAINERS_STORAGE_CONF=$dir/storage.conf"
      exit 0
    fi
    sleep 0.1
  done
  echo "podman did not come up; see $dir/log" >&2; exit 1 ;;
stop)
  alive || exit 0
  pid=$(cat "$dir/podman.pid"); kill "$pid"
  for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || exit 0; sleep 0.1; done
  echo "podman ($pid) does not stop" >&2; exit 1 ;;
*) sed -n '2,6s/^# //p' "$0" >&2; exit 2 ;;
esac
