# Private RabbitMQ and PostgreSQL for tests and benchmarks; sourced, not run.
#
# start_servers     starts what LINKBEAT_TEST_BROKER_URL and LINKBEAT_TEST_DATABASE_URL do not name, exports
#                   both, and stops it when the script ends
# start_rabbitmq_4  the same for LINKBEAT_TEST_BROKER_4_URL, after start_servers
# serve FUNCTION... servers for one test, until standard input ends
# python_with_pika  prints a Python that can import pika
# start_redis       a Redis for LINKBEAT_TEST_REDIS_URL; after make_certificates also one for LINKBEAT_TEST_REDIS_TLS_URL
# provide_celery    LINKBEAT_TEST_CELERY_PYTHON is a Python with Celery, its monitors and its backends;
#                   LINKBEAT_TEST_CELERY_EXPORTER_PYTHON one with the exporter for Prometheus
# provide_schemathesis  LINKBEAT_TEST_SCHEMATHESIS is schemathesis, which tests the JSON API
# provide_django    LINKBEAT_TEST_DJANGO_PYTHON is a Python that can run examples/django-blog
# provide_browser   LINKBEAT_TEST_CHROMIUM, LINKBEAT_TEST_BROWSER_PYTHON with Playwright, and LINKBEAT_TEST_AXE, axe-core
# provide_node      LINKBEAT_TEST_NODE_PATH is where Node finds what examples/request_run.js needs

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'scripts/test: %s\n' "$*" >&2; exit 1; }

# Debian keeps these servers' programs out of the PATH of ordinary users.
PATH="$PATH:/usr/sbin:/sbin"

# need COMMAND WHAT PACKAGE: installs the package when the command is missing.
need() {
  command -v "$1" >/dev/null && return
  [ -n "$3" ] || die "$2 is needed ($1 was not found)"
  install_package "$2" "$3"
}

install_package() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
    die "$1 is needed; install it (Debian: apt-get install $2), or name a server in LINKBEAT_TEST_*_URL"
  say "installing $1"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >/dev/null
  # Only the programs are wanted: the packages' own services are not started.
  RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$2" >/dev/null
}

# warn_of_space GB: what a build from scratch takes. On a full disk the linker ends with a "bus error", which says nothing.
warn_of_space() {
  local free
  free=$(($(df -Pk . | awk 'END { print $4 }') >> 20))
  [ -d target/debug ] || [ "$free" -ge "$1" ] || say "only $free GB of the disk are free; building and testing takes $1 GB"
}

# Prints a port of loopback that no test gets; testbed/src/ports.rs does the same, and says why.
free_port() { mkdir -p target && "$(bootstrap_python)" - target/ports <<'PYTHON'
import fcntl, os, socket, sys

FIRST, END = 12000, 32000
with open(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644), "r+") as given:
    fcntl.flock(given, fcntl.LOCK_EX)
    text = given.read().strip()
    last = int(text) if text else FIRST + os.getpid() % (END - FIRST)
    for port in [*range(last + 1, END), *range(FIRST, END)]:
        try:
            socket.create_server(("127.0.0.1", port)).close()
            break
        except OSError:
            pass
    given.seek(0)
    given.truncate()
    print(port, file=given)
print(port)
PYTHON
}

bootstrap_python() {
  command -v python3 || { install_package Python python3 >&2; command -v python3; }
}

# Starts whatever no variable names, and stops it when the script ends.
start_servers() {
  open_servers
  [ -n "${LINKBEAT_TEST_DATABASE_URL:-}" ] || start_postgres
  [ -n "${LINKBEAT_TEST_BROKER_URL:-}" ] || start_rabbitmq
}

# serve FUNCTION...: for a test that needs servers of its own. Calls the functions, prints the variables they
# export, then `ready`, and keeps the servers until standard input ends, as it does also when the test is killed.
# With LINKBEAT_TEST_RABBITMQ=4 their RabbitMQ is the one of start_rabbitmq_4.
serve() {
  [ "${LINKBEAT_TEST_RABBITMQ:-}" != 4 ] || need_rabbitmq_4
  # shellcheck disable=SC2086  # none may be set
  unset ${!LINKBEAT_TEST_@}
  open_servers
  for start in "$@"; do $start >&2; done
  env | grep '^LINKBEAT_TEST_'
  echo ready
  cat >/dev/null
}

open_servers() {
  mkdir -p target
  SERVERS=$(mktemp -d "$PWD/target/servers.XXXXXX")
  SERVER_PIDS=()
  trap stop_servers EXIT
  trap 'exit 130' INT TERM
}

stop_servers() {
  trap - EXIT
  # What they hold is thrown away, so there is nothing to wait for.
  [ "${#SERVER_PIDS[@]}" = 0 ] || kill -KILL "${SERVER_PIDS[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  [ -z "${PG_HOME:-}" ] || as_postgres "$PG_BIN/pg_ctl" -D "$PG_HOME/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$SERVERS" "${PG_HOME:-$SERVERS}"
}

# From here on servers also speak TLS. LINKBEAT_TEST_CERTIFICATES is a folder with an authority (ca.pem), what it
# signed for the server `localhost` and for a client (server.pem, server.key, client.pem, client.key), and another
# authority (stranger.pem, stranger.key).
make_certificates() {
  need openssl OpenSSL openssl
  LINKBEAT_TEST_CERTIFICATES="$SERVERS/certificates"
  export LINKBEAT_TEST_CERTIFICATES
  mkdir "$LINKBEAT_TEST_CERTIFICATES"
  (
    cd "$LINKBEAT_TEST_CERTIFICATES"
    make() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout "$1.key" -out "$1.pem" "${@:2}" 2>/dev/null; }
    signed() { make "$1" -CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE "${@:2}"; }
    make ca -subj "/CN=linkbeat test authority"
    make stranger -subj "/CN=unknown authority"
    signed server -subj /CN=localhost -addext subjectAltName=DNS:localhost
    signed client -subj /CN=linkbeat -addext extendedKeyUsage=clientAuth
  ) || die "openssl could not make certificates"
}

# PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then runuser -u "$PG_USER" -- "$@"; else "$@"; fi
}

need_postgres() {
  PG_BIN=$(postgres_programs)
  [ -n "$PG_BIN" ] || { install_package PostgreSQL postgresql; PG_BIN=$(postgres_programs); }
  [ -n "$PG_BIN" ] || die "PostgreSQL's programs (initdb, pg_ctl) were not found"
}

start_postgres() {
  need_postgres
  PG_USER=$(id -un postgres 2>/dev/null || echo nobody)
  PG_HOME="$SERVERS/postgres"
  mkdir "$PG_HOME"
  if [ "$(id -u)" = 0 ]; then
    # A checkout under /root cannot be entered by another user.
    chmod 711 "$SERVERS"
    if ! runuser -u "$PG_USER" -- test -x "$PG_HOME"; then PG_HOME=$(mktemp -d /tmp/linkbeat-postgres.XXXXXX); fi
    chown "$PG_USER" "$PG_HOME"
  fi
  local port password tls=()
  port=$(free_port)
  password=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
  say "starting PostgreSQL on port $port"
  printf '%s' "$password" >"$PG_HOME.password"
  chmod 644 "$PG_HOME.password"
  (cd "$PG_HOME" && as_postgres "$PG_BIN/initdb" -D "$PG_HOME/data" -U linkbeat -E UTF8 --no-locale -A scram-sha-256 \
    --pwfile="$PG_HOME.password" --no-sync >"$PG_HOME.initdb.log") || { cat "$PG_HOME.initdb.log" >&2; die "initdb failed"; }
  rm -f "$PG_HOME.password" "$PG_HOME.initdb.log"
  [ -z "${LINKBEAT_TEST_CERTIFICATES:-}" ] || encrypt_postgres
  # These data live for minutes: no disk flushes, unless POSTGRES_OPTIONS says otherwise. The servers of tests/faults
  # keep theirs.
  (cd "$PG_HOME" && as_postgres "$PG_BIN/pg_ctl" -D "$PG_HOME/data" -l "$PG_HOME/log" -w -t 60 \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$PG_HOME -c fsync=off -c max_connections=300 ${tls[*]} ${POSTGRES_OPTIONS:-}" \
    start >/dev/null) || { cat "$PG_HOME/log" >&2; die "PostgreSQL did not start"; }
  [ -z "${LINKBEAT_TEST_CERTIFICATES:-}" ] ||
    echo 'CREATE DATABASE guarded' | PGPASSWORD=$password "$PG_BIN/psql" -q -h 127.0.0.1 -p "$port" -U linkbeat postgres
  export LINKBEAT_TEST_DATABASE_URL="postgres://linkbeat:$password@127.0.0.1:$port/postgres"
}

# Nobody is let in unencrypted, and into the database `guarded` only with a client certificate.
encrypt_postgres() {
  cp "$LINKBEAT_TEST_CERTIFICATES"/{ca.pem,server.pem,server.key} "$PG_HOME/"
  [ "$(id -u)" != 0 ] || chown "$PG_USER" "$PG_HOME"/{ca.pem,server.pem,server.key}
  chmod 600 "$PG_HOME/server.key"
  printf '%s\n' "hostssl guarded all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca" \
    "hostssl all all 127.0.0.1/32 scram-sha-256" >"$PG_HOME/data/pg_hba.conf"
  tls=(-c ssl=on -c "ssl_ca_file=$PG_HOME/ca.pem" -c "ssl_cert_file=$PG_HOME/server.pem" -c "ssl_key_file=$PG_HOME/server.key")
}

postgres_programs() {
  local dir
  for dir in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) "$(dirname "$(command -v initdb || echo /none/x)")"; do
    if [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ]; then echo "$dir"; return; fi
  done
}

# The RabbitMQ of this system, or the one in the folder RABBIT_ROOT.
start_rabbitmq() {
  need rabbitmq-server RabbitMQ rabbitmq-server
  rabbit_node one
  await_rabbit one
  export LINKBEAT_TEST_BROKER_URL="amqp://guest:guest@127.0.0.1:$(cat "$SERVERS/one/port")/"
  [ -z "${LINKBEAT_TEST_CERTIFICATES:-}" ] ||
    export LINKBEAT_TEST_BROKER_TLS_URL="amqps://guest:guest@localhost:$(cat "$SERVERS/one/tls_port")/"
}

# Three nodes of one cluster. LINKBEAT_TEST_CLUSTER_URLS and LINKBEAT_TEST_CLUSTER_PIDS name them in one order,
# separated by commas.
start_cluster() {
  need rabbitmq-server RabbitMQ rabbitmq-server
  CLUSTER=(one two three)
  local node urls=() pids=()
  for node in "${CLUSTER[@]}"; do
    rabbit_node "$node"
    pids+=("${SERVER_PIDS[-1]}")
  done
  for node in "${CLUSTER[@]}"; do
    await_rabbit "$node"
    urls+=("amqp://guest:guest@127.0.0.1:$(cat "$SERVERS/$node/port")/")
  done
  rabbitmqctl_for one "$SERVERS/rabbitmqctl"
  "$SERVERS/rabbitmqctl" -q await_online_nodes "${#CLUSTER[@]}" --timeout 60 || die "the nodes found no cluster"
  export LINKBEAT_TEST_CLUSTER_URLS LINKBEAT_TEST_CLUSTER_PIDS
  LINKBEAT_TEST_CLUSTER_URLS=$(IFS=,; echo "${urls[*]}")
  LINKBEAT_TEST_CLUSTER_PIDS=$(IFS=,; echo "${pids[*]}")
}

start_rabbitmq_4() {
  need_rabbitmq_4
  rabbit_node four
  await_rabbit four
  export LINKBEAT_TEST_BROKER_4_URL="amqp://guest:guest@127.0.0.1:$(cat "$SERVERS/four/port")/"
}

# RabbitMQ 4 from Debian 13, in a folder that is kept for the next time.
need_rabbitmq_4() {
  RABBIT_ROOT="$PWD/target/rabbitmq-4"
  [ "$(id -u)" = 0 ] ||
    die "RabbitMQ 4 runs in a chroot here, which takes root; name one in LINKBEAT_TEST_BROKER_4_URL, or set LINKBEAT_TEST_WITHOUT_4=1 to leave it out"
  [ -d "$RABBIT_ROOT" ] || install_rabbitmq_4
}

install_rabbitmq_4() {
  need debootstrap debootstrap debootstrap
  local mirror
  debian_mirror() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1; }
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { apt-get update -qq >/dev/null; mirror=$(debian_mirror); }
  [ -n "$mirror" ] || die "this machine's apt knows no mirror of Debian to take RabbitMQ 4 from; name a server in LINKBEAT_TEST_BROKER_4_URL, or set LINKBEAT_TEST_WITHOUT_4=1"
  say "installing RabbitMQ 4 into target/rabbitmq-4"
  rm -rf "$RABBIT_ROOT.part"
  debootstrap --variant=minbase --include=rabbitmq-server trixie "$RABBIT_ROOT.part" "$mirror" >"$RABBIT_ROOT.log" 2>&1 ||
    { tail -n 20 "$RABBIT_ROOT.log" >&2; die "debootstrap failed"; }
  cp /etc/hosts "$RABBIT_ROOT.part/etc/hosts"
  rm -rf "$RABBIT_ROOT.part"/var/cache/apt/archives/*.deb "$RABBIT_ROOT.log"
  mv "$RABBIT_ROOT.part" "$RABBIT_ROOT"
}

# rabbit_node NAME: begins to start a node with ports and a folder of its own. All share an epmd and a cookie.
rabbit_node() {
  local home="$SERVERS/$1" root="${RABBIT_ROOT:-}" inside port
  inside=$home
  [ -z "$root" ] || inside=/srv
  mkdir "$home"
  [ -n "${EPMD_PORT:-}" ] || start_epmd
  port=$(free_port)
  say "starting RabbitMQ on port $port"
  rabbit_settings "$1" "$home" "$inside" "$port"
  # RUNNING_UNDER_SYSTEMD makes its script give way to the server itself, so that the pid is the server's.
  # Debian's wrapper would change to the rabbitmq user: the server's own script runs it as we are.
  if [ -z "$root" ]; then
    env "${RABBIT_ENV[@]}" "$(rabbit_program rabbitmq-server)" >"$home/out" 2>&1 </dev/null &
  else
    # The mounts end with the server.
    unshare --mount -- sh -ec 'mount --bind /proc "$1/proc"; mount --rbind /dev "$1/dev"; mount --bind "$2" "$1/srv"
      root=$1; shift 2; exec chroot "$root" env "$@" /usr/lib/rabbitmq/bin/rabbitmq-server' \
      sh "$root" "$home" "${RABBIT_ENV[@]}" >"$home/out" 2>&1 </dev/null &
  fi
  SERVER_PIDS+=("$!")
  echo "$!" >"$home/pid"
}

await_rabbit() {
  local file
  for file in "$SERVERS/$1"/{port,tls_port}; do
    [ -f "$file" ] || continue
    wait_for_port "$(cat "$file")" 90 "$(cat "$SERVERS/$1/pid")" ||
      { tail -n 40 "$SERVERS/$1/out" >&2; die "RabbitMQ did not start"; }
  done
}

start_epmd() {
  EPMD_PORT=$(free_port)
  epmd -port "$EPMD_PORT" -address 127.0.0.1 >/dev/null 2>&1 &
  SERVER_PIDS+=("$!")
}

rabbit_program() {
  ls "/usr/lib/rabbitmq/bin/$1" 2>/dev/null || command -v "$1"
}

# rabbit_settings NAME HOME HOME_AS_IT_SEES_IT PORT
rabbit_settings() {
  local name=$1 home=$2 inside=$3
  echo "$4" >"$home/port"
  cat >"$home/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$4
loopback_users = none
log.console = true
log.console.level = warning
disk_free_limit.absolute = 100MB
CONF
  [ -z "${LINKBEAT_TEST_CERTIFICATES:-}" ] || encrypt_rabbit "$home" "$inside" >>"$home/rabbitmq.conf"
  [ -z "${CLUSTER:-}" ] || cluster_rabbit >>"$home/rabbitmq.conf"
  : >"$home/enabled_plugins"
  echo "linkbeat-tests" >"$home/.erlang.cookie"
  chmod 400 "$home/.erlang.cookie"
  RABBIT_ENV=(
    HOME="$inside" ERL_CRASH_DUMP="$inside/erl_crash.dump" RABBITMQ_CONFIG_FILE="$inside/rabbitmq" RABBITMQ_CONF_ENV_FILE=/dev/null
    RABBITMQ_NODENAME="$(rabbit_name "$name")" RABBITMQ_DIST_PORT="$(free_port)" ERL_EPMD_PORT="$EPMD_PORT"
    ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_MNESIA_BASE="$inside/mnesia" RABBITMQ_LOG_BASE="$inside/log"
    RABBITMQ_ENABLED_PLUGINS_FILE="$inside/enabled_plugins" RUNNING_UNDER_SYSTEMD=1
    RABBITMQ_SERVER_START_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
  )
}

rabbit_name() { echo "linkbeat-test-$$-$1@localhost"; }

# encrypt_rabbit HOME HOME_AS_IT_SEES_IT: takes only clients whose certificate our authority signed.
encrypt_rabbit() {
  cp "$LINKBEAT_TEST_CERTIFICATES"/{ca.pem,server.pem,server.key} "$1/"
  free_port >"$1/tls_port"
  cat <<CONF
listeners.ssl.1 = 127.0.0.1:$(cat "$1/tls_port")
ssl_options.cacertfile = $2/ca.pem
ssl_options.certfile = $2/server.pem
ssl_options.keyfile = $2/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
CONF
}

cluster_rabbit() {
  local node number=1
  echo "cluster_formation.peer_discovery_backend = classic_config"
  for node in "${CLUSTER[@]}"; do
    echo "cluster_formation.classic_config.nodes.$number = $(rabbit_name "$node")"
    number=$((number + 1))
  done
}

# rabbitmqctl_for NAME FILE: makes a `rabbitmqctl` that speaks to that node.
rabbitmqctl_for() {
  local enter=() home="$SERVERS/$1" program
  program=$(rabbit_program rabbitmqctl)
  if [ -n "${RABBIT_ROOT:-}" ]; then
    enter=(nsenter -t "$(cat "$home/pid")" -m chroot "$RABBIT_ROOT") home=/srv program=/usr/lib/rabbitmq/bin/rabbitmqctl
  fi
  local command=("${enter[@]}" env HOME="$home" ERL_EPMD_PORT="$EPMD_PORT" RABBITMQ_CONF_ENV_FILE=/dev/null "$program" -n "$(rabbit_name "$1")")
  printf '#!/bin/sh\nexec%s "$@"\n' "$(printf ' %q' "${command[@]}")" >"$2"
  chmod +x "$2"
}

# A folder for the PATH with a `rabbitmqctl` for the node of start_rabbitmq.
provide_rabbitmqctl() {
  export LINKBEAT_TEST_RABBITMQCTL="$SERVERS/bin"
  mkdir "$LINKBEAT_TEST_RABBITMQCTL"
  rabbitmqctl_for one "$LINKBEAT_TEST_RABBITMQCTL/rabbitmqctl"
}

start_redis() {
  need redis-server Redis redis-server
  local port tls=()
  mkdir "$SERVERS/redis"
  port=$(free_port)
  if [ -n "${LINKBEAT_TEST_CERTIFICATES:-}" ]; then
    tls=(--tls-port "$(free_port)" --tls-cert-file "$LINKBEAT_TEST_CERTIFICATES/server.pem"
      --tls-key-file "$LINKBEAT_TEST_CERTIFICATES/server.key" --tls-auth-clients no)
    export LINKBEAT_TEST_REDIS_TLS_URL="rediss://:secret@localhost:${tls[1]}/1"
  fi
  say "starting Redis on port $port"
  redis-server --port "$port" --bind 127.0.0.1 --requirepass secret --save '' --dir "$SERVERS/redis" "${tls[@]}" \
    >"$SERVERS/redis/out" 2>&1 </dev/null &
  SERVER_PIDS+=("$!")
  wait_for_port "$port" 20 "$!" || { cat "$SERVERS/redis/out" >&2; die "Redis did not start"; }
  export LINKBEAT_TEST_REDIS_URL="redis://:secret@127.0.0.1:$port/1" LINKBEAT_TEST_REDIS_PID="$!"
}

# A Python with the newest Celery. Tests may ask for it at the same time.
provide_celery() {
  python_environment python-celery celery redis flower django django-celery-results 'psycopg[binary]'
  # It wants another version of the client for Redis.
  python_environment python-celery-exporter prometheus-exporter-celery
  export LINKBEAT_TEST_CELERY_PYTHON="$PWD/target/python-celery/bin/python"
  export LINKBEAT_TEST_CELERY_EXPORTER_PYTHON="$PWD/target/python-celery-exporter/bin/python"
}

provide_schemathesis() {
  python_environment python-schemathesis schemathesis
  export LINKBEAT_TEST_SCHEMATHESIS="$PWD/target/python-schemathesis/bin/schemathesis"
}

# A Python with what the blog of examples/django-blog needs.
provide_django() {
  python_environment python-django -r examples/django-blog/requirements.txt
  export LINKBEAT_TEST_DJANGO_PYTHON="$PWD/target/python-django/bin/python"
}

# python_environment NAME WHAT...: installs packages from PyPI into target/NAME, which is kept for the next time.
python_environment() (
  flock 9
  home="target/$1"
  [ -e "$home/complete" ] && exit
  say "installing ${*:2} into $home"
  rm -rf "$home"
  "$(bootstrap_python)" -m venv "$home" >&2 ||
    { install_package "Python's venv" python3-venv >&2; "$(bootstrap_python)" -m venv "$home" >&2; }
  "$home/bin/pip" install -q "${@:2}" >&2 || die "${*:2} could not be installed from PyPI"
  touch "$home/complete"
) 9>"target/$1.lock"

# What tests/browser needs: Debian's Chromium, Playwright to drive it, and axe-core, which finds what bars people.
provide_browser() {
  (
    flock 9
    need chromium Chromium chromium
    [ -e target/axe/complete ] && exit
    need node Node nodejs
    need npm npm npm
    say "installing axe-core into target/axe"
    npm install --silent --no-audit --no-fund --prefix target/axe axe-core@4 >&2 || die "axe-core could not be installed from npm"
    touch target/axe/complete
  ) 9>target/browser.lock
  python_environment python-browser playwright pillow
  export LINKBEAT_TEST_CHROMIUM LINKBEAT_TEST_BROWSER_PYTHON LINKBEAT_TEST_AXE
  LINKBEAT_TEST_CHROMIUM=$(command -v chromium)
  LINKBEAT_TEST_BROWSER_PYTHON="$PWD/target/python-browser/bin/python"
  LINKBEAT_TEST_AXE="$PWD/target/axe/node_modules/axe-core/axe.min.js"
}

# A Node with the packages of examples/package.json, in LINKBEAT_TEST_NODE_PATH.
provide_node() {
  need node Node nodejs
  need npm npm npm
  (
    flock 9
    cmp -s examples/package.json target/node/installed && exit
    say "installing what the clients in examples/ need into target/node"
    mkdir -p target/node
    cp examples/package.json target/node/
    npm install --silent --no-audit --no-fund --prefix target/node >&2 || die "amqplib could not be installed from npm"
    cp examples/package.json target/node/installed
  ) 9>target/node.lock
  export LINKBEAT_TEST_NODE_PATH="$PWD/target/node/node_modules"
}

# wait_for_port PORT SECONDS PID: gives up at once when the process is gone.
wait_for_port() {
  local _
  for _ in $(seq $(($2 * 5))); do
    kill -0 "$3" 2>/dev/null || return 1
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
    sleep 0.2
  done
  return 1
}

python_with_pika() {
  local python
  for python in python3 /usr/bin/python3 "$PWD/target/python/bin/python"; do
    if "$python" -c 'import pika' 2>/dev/null; then echo "$python"; return; fi
  done
  if python3 -m venv target/python >/dev/null 2>&1 && target/python/bin/pip install -q 'pika==1.3.2' >&2; then
    echo "$PWD/target/python/bin/python"
    return
  fi
  rm -rf target/python
  install_package "pika for Python" python3-pika >&2
  echo /usr/bin/python3
}
