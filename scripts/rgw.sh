#!/usr/bin/env bash
# A one-node Ceph RADOS Gateway (a real S3 server) from Debian's packages, without systemd, manager daemon or containers.
#
#   rgw.sh start  DIR [--port N] [--access KEY] [--secret KEY] [--bucket NAME]... [--store memstore|bluestore] [--size 8G]
#   rgw.sh stop   DIR                     stop the daemons cleanly; `start` brings them back with the same data and port
#   rgw.sh kill   DIR [rgw|osd|mon]...    SIGKILL them (default: all): for failure tests
#   rgw.sh status DIR                     what runs, and the endpoint; exit 0 only when it serves
#   rgw.sh wipe   DIR                     kill them and remove DIR
#
# `start` prints, and keeps in DIR/env, the variables to export: source DIR/env. Everything listens on the loopback only.
# Without --port a free one is taken. The first --bucket becomes S3_BUCKET.
# memstore (default) is in memory: kept over `stop`, lost when the osd is killed. bluestore is a sparse file and survives.
set -eEuo pipefail
umask 077

readonly INSTALL='apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd curl openssl'
readonly EMPTY_SHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

say() { echo "rgw.sh: $*" >&2; }
die() { say "$@"; exit 1; }

port='' access=test secret=testsecret store=memstore size=8G buckets=() daemons=()
parse_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      rgw | osd | mon) daemons+=("$1"); shift; continue ;;
      --port | --access | --secret | --store | --size | --bucket) [ $# -ge 2 ] || die "$1 needs a value" ;;
      *) die "unknown argument $1" ;;
    esac
    case $1 in
      --port) port=$2 ;;
      --access) access=$2 ;;
      --secret) secret=$2 ;;
      --store) store=$2 ;;
      --size) size=$2 ;;
      --bucket) buckets+=("$2") ;;
    esac
    shift 2
  done
  case $store in memstore | bluestore) ;; *) die "--store must be memstore or bluestore" ;; esac
}

# A free loopback port below the ephemeral range, so that no client's socket takes it meanwhile.
free_port() {
  local candidate i
  for ((i = 0; i < 200; i++)); do
    candidate=$((15000 + (RANDOM * 32768 + RANDOM) % 15000))
    [ "$candidate" != "${1:-}" ] || continue
    (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || { echo "$candidate"; return; }
  done
  die "no free port"
}

# The pid of daemon $1 if it is alive AND was started from our configuration: a reused pid is not ours.
pid_of() {
  local file=$dir/run/$1.pid pid
  [ -s "$file" ] || return 1
  pid=$(<"$file")
  [ -r "/proc/$pid/cmdline" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "-c $conf " || return 1
  echo "$pid"
}

# launch NAME COMMAND...: in a session of its own, so that Ctrl-C in the terminal does not reach it.
launch() {
  local name=$1
  shift
  ! pid_of "$name" >/dev/null || return 0
  setsid "$@" </dev/null >>"$dir/log/$name.out" 2>&1 &
  echo $! >"$dir/run/$name.pid"
}

# end NAME SECONDS: SIGTERM, and SIGKILL when the time is over (0: at once). False when it had to be killed.
end() {
  local pid i
  pid=$(pid_of "$1") || { rm -f "$dir/run/$1.pid"; return 0; }
  [ "$2" = 0 ] || kill "$pid" 2>/dev/null || true
  for ((i = 0; i < $2 * 20; i++)); do
    [ -d "/proc/$pid" ] || { rm -f "$dir/run/$1.pid"; return 0; }
    sleep 0.05
  done
  kill -9 "$pid" 2>/dev/null || true
  while [ -d "/proc/$pid" ] && ! grep -q '^State:.*Z' "/proc/$pid/status" 2>/dev/null; do sleep 0.02; done
  rm -f "$dir/run/$1.pid"
  return 1
}

kill_daemons() { local name; for name in "$@"; do end "$name" 0 || true; done; }

# .clean says that the memstore was written to disk, which only an osd's full shutdown does.
stop_daemons() {
  end rgw 3 || true
  if pid_of osd >/dev/null && end osd 30; then touch "$dir/.clean"; fi
  end mon 5 || true
}

http_code() { curl -s --noproxy '*' -o /dev/null -m 5 -w '%{http_code}' "http://127.0.0.1:$port/" || true; }

# curl 7.88 signs without x-amz-content-sha256, which the gateway answers with 403.
make_bucket() {
  curl -sSf --noproxy '*' -o /dev/null -m 10 -X PUT --aws-sigv4 aws:amz:us-east-1:s3 -u "$access:$secret" \
    -H "x-amz-content-sha256: $EMPTY_SHA256" "http://127.0.0.1:$port/$1"
}

write_conf() { # MON_PORT
  local bytes fast=true name
  bytes=$(numfmt --from=iec "$size")
  [ "$store" = bluestore ] || fast=false
  cat <<CONF
[global]
fsid = $fsid
mon initial members = a
mon host = v2:127.0.0.1:$1/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false
auth cluster required = none
auth service required = none
auth client required = none
# the gateway asks for "secure" unless told otherwise, which auth "none" cannot give: it would retry for ever, silently
ms mon client mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
ms crc data = false
run dir = $dir/run
admin socket =
crash dir = $dir/log
log file = $dir/log/\$name.log
mon cluster log file = $dir/log/cluster.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
rgw rados pool pg num min = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
CONF
  for name in ms osd rgw mon paxos monc auth objecter objclass bluestore bluefs bdev rocksdb memdb rados optracker throttle perfcounter; do
    echo "debug $name = 0/0"
  done
  cat <<CONF
[mon]
mon data = $dir/mon
mon data avail crit = 0
mon data avail warn = 0
paxos propose interval = 0.05
paxos min wait = 0.01
[osd]
osd data = $dir/osd
osd objectstore = $store
osd crush initial weight = 1
osd class update on start = false
osd op num shards = 2
osd op num threads per shard = 2
osd enable op tracker = false
osd min pg log entries = 100
osd max pg log entries = 500
osd fast shutdown = $fast
memstore device bytes = $bytes
memstore page set = true
memstore page size = 4096
bluestore block size = $bytes
bluestore block create = true
bluestore cache autotune = false
bluestore cache size = 134217728
[client]
# without tcp_nodelay each GET and LIST on a kept-alive connection waits 40 ms for a delayed ACK
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
# the default of 512 threads halves the throughput of two cores
rgw thread pool size = 16
rgw override bucket index max shards = 1
rgw dynamic resharding = false
rgw enable usage log = false
rgw enable ops log = false
rgw run sync thread = false
rgw enable quota threads = false
rgw enable apis = s3, admin
rgw data = $dir/run
CONF
}

write_env() {
  local name=${buckets[0]:-}
  cat <<ENV
export S3_ENDPOINT=http://127.0.0.1:$port
export S3_BUCKET=$name
export AWS_ACCESS_KEY_ID=$access
export AWS_SECRET_ACCESS_KEY=$secret
export AWS_REGION=us-east-1
ENV
}

start() {
  local tool fresh=1 mon_port fsid uuid mkfs i name
  for tool in ceph-mon ceph-osd radosgw radosgw-admin monmaptool ceph curl; do
    command -v "$tool" >/dev/null || die "$tool is missing; to install what is needed, as root: $INSTALL"
  done
  trap 'failed "interrupted"' INT TERM HUP
  trap 'failed "start failed at line $LINENO"' ERR
  mkdir -p "$dir"/run "$dir"/log

  if [ -f "$dir/.ready" ]; then
    fresh=0
    # shellcheck source=/dev/null
    . "$dir/env"
    port=${S3_ENDPOINT##*:} access=$AWS_ACCESS_KEY_ID secret=$AWS_SECRET_ACCESS_KEY
    store=$(sed -n 's/^osd objectstore = //p' "$conf")
    [ ${#buckets[@]} -gt 0 ] || [ -z "$S3_BUCKET" ] || buckets=("$S3_BUCKET")
    if [ "$store" = memstore ] && [ ! -f "$dir/.clean" ] && ! pid_of osd >/dev/null; then
      say "the memstore was killed and its data are gone: starting empty"
      fresh=1
    fi
  fi
  rm -f "$dir/.clean"

  if [ "$fresh" = 1 ]; then
    kill_daemons rgw osd mon
    rm -rf "$dir"/mon "$dir"/osd "$dir"/.ready
    mkdir -p "$dir"/mon "$dir"/osd
    port=${port:-$(free_port)}
    mon_port=$(free_port "$port")
    fsid=$(</proc/sys/kernel/random/uuid)
    write_conf "$mon_port" >"$conf"
    monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port]" "$dir/monmap" >>"$dir/log/setup.log" 2>&1
    ceph-mon -c "$conf" --mkfs -i a --monmap "$dir/monmap" >>"$dir/log/setup.log" 2>&1
  fi

  launch mon ceph-mon -c "$conf" -i a -f
  if [ "$fresh" = 1 ]; then
    uuid=$(</proc/sys/kernel/random/uuid)
    ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$uuid" --no-mon-config >>"$dir/log/setup.log" 2>&1 & mkfs=$!
    timeout 60 ceph -c "$conf" --connect-timeout 30 osd new "$uuid" 0 >>"$dir/log/setup.log" 2>&1
    wait "$mkfs"
  fi
  launch osd ceph-osd -c "$conf" -i 0 -f
  if [ "$fresh" = 1 ]; then
    # the first call waits for the osd and makes the pools and the zone
    timeout 120 radosgw-admin -c "$conf" user create --uid=test --display-name=test \
      --access-key="$access" --secret="$secret" >/dev/null 2>>"$dir/log/setup.log"
    write_env >"$dir/env"
  fi
  launch rgw radosgw -c "$conf" -n client.rgw.a -f
  for ((i = 0; i < 1200; i++)); do
    [ "$(http_code)" != 200 ] || break
    pid_of rgw >/dev/null
    sleep 0.03
  done
  [ "$(http_code)" = 200 ]
  for name in "${buckets[@]}"; do make_bucket "$name"; done
  touch "$dir/.ready"
  trap - ERR INT TERM HUP
  say "ready; in a shell: source $dir/env"
  cat "$dir/env"
}

failed() {
  trap - ERR INT TERM HUP
  say "$1; the logs are in $dir/log"
  tail -qn 5 "$dir"/log/setup.log "$dir"/log/rgw.out "$dir"/log/client.rgw.a.log 2>/dev/null >&2 || true
  kill_daemons rgw osd mon
  exit 1
}

status() {
  local name pid serving=0
  for name in mon osd rgw; do
    if pid=$(pid_of "$name"); then
      echo "$name up pid=$pid rss_mb=$(awk '/^VmRSS/{print int($2/1024)}' "/proc/$pid/status")"
    else
      echo "$name down"
      serving=1
    fi
  done
  [ -f "$dir/env" ] || return 1
  # shellcheck source=/dev/null
  . "$dir/env"
  port=${S3_ENDPOINT##*:}
  [ "$(http_code)" = 200 ] || serving=1
  [ "$serving" = 0 ] || { echo "not serving"; return 1; }
  echo "serving $S3_ENDPOINT, bucket $S3_BUCKET; in a shell: source $dir/env"
}

[ $# -ge 2 ] || { sed -n '2,/^set /{/^# \{0,1\}/s///p}' "$0"; exit 2; }
command=$1 dir=$2
shift 2
parse_options "$@"
if [ ! -d "$dir" ]; then
  case $command in
    start) mkdir -p "$dir" ;;
    stop | wipe) exit 0 ;;
    *) die "there is no server in $dir" ;;
  esac
fi
dir=$(cd "$dir" && pwd)
conf=$dir/ceph.conf

case $command in
  start) start ;;
  stop) stop_daemons ;;
  kill)
    [ ${#daemons[@]} -gt 0 ] || daemons=(rgw osd mon)
    kill_daemons "${daemons[@]}" ;;
  status) status ;;
  wipe)
    kill_daemons rgw osd mon
    [ ! -f "$conf" ] || rm -rf "$dir" ;;
  *) die "unknown command $command" ;;
esac
