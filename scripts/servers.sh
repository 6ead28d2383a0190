# Private RabbitMQ and PostgreSQL for tests and benchmarks; sourced, not run.
#
# start_servers   starts what LINKBEAT_TEST_BROKER_URL / LINKBEAT_TEST_DATABASE_URL do not name, exports
#                 both, and stops it when the script ends
# python_with_pika  prints a Python that can import pika
# need_fault_tools  installs the servers that tests/faults starts by itself, and libfaketime

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

free_port() { "$(bootstrap_python)" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

bootstrap_python() {
  command -v python3 || { install_package Python python3 >&2; command -v python3; }
}

start_servers() {
  if [ -n "${LINKBEAT_TEST_BROKER_URL:-}" ] && [ -n "${LINKBEAT_TEST_DATABASE_URL:-}" ]; then
    return
  fi
  mkdir -p target
  SERVERS=$(mktemp -d "$PWD/target/servers.XXXXXX")
  trap stop_servers EXIT
  trap 'exit 130' INT TERM
  [ -n "${LINKBEAT_TEST_DATABASE_URL:-}" ] || start_postgres
  [ -n "${LINKBEAT_TEST_BROKER_URL:-}" ] || start_rabbitmq
}

stop_servers() {
  trap - EXIT
  if [ -n "${RABBIT_PID:-}" ]; then
    kill "$RABBIT_PID" 2>/dev/null || true
    wait "$RABBIT_PID" 2>/dev/null || true
  fi
  [ -z "${EPMD_PID:-}" ] || kill "$EPMD_PID" 2>/dev/null || true
  [ -z "${PG_HOME:-}" ] || as_postgres "$PG_BIN/pg_ctl" -D "$PG_HOME/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$SERVERS" "${PG_HOME:-$SERVERS}"
}

# PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then runuser -u "$PG_USER" -- "$@"; else "$@"; fi
}

start_postgres() {
  PG_BIN=$(postgres_programs)
  [ -n "$PG_BIN" ] || { install_package PostgreSQL postgresql; PG_BIN=$(postgres_programs); }
  [ -n "$PG_BIN" ] || die "PostgreSQL's programs (initdb, pg_ctl) were not found"
  PG_USER=$(id -un postgres 2>/dev/null || echo nobody)
  PG_HOME="$SERVERS/postgres"
  mkdir "$PG_HOME"
  if [ "$(id -u)" = 0 ]; then
    # A checkout under /root cannot be entered by another user.
    chmod 711 "$SERVERS"
    if ! runuser -u "$PG_USER" -- test -x "$PG_HOME"; then PG_HOME=$(mktemp -d /tmp/linkbeat-postgres.XXXXXX); fi
    chown "$PG_USER" "$PG_HOME"
  fi
  local port password
  port=$(free_port)
  password=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
  say "starting PostgreSQL on port $port"
  printf '%s' "$password" >"$PG_HOME.password"
  chmod 644 "$PG_HOME.password"
  (cd "$PG_HOME" && as_postgres "$PG_BIN/initdb" -D "$PG_HOME/data" -U linkbeat -E UTF8 --no-locale -A scram-sha-256 \
    --pwfile="$PG_HOME.password" --no-sync >"$PG_HOME.initdb.log") || { cat "$PG_HOME.initdb.log" >&2; die "initdb failed"; }
  rm -f "$PG_HOME.password" "$PG_HOME.initdb.log"
  # These data live for minutes: no disk flushes. The servers of tests/faults keep theirs.
  (cd "$PG_HOME" && as_postgres "$PG_BIN/pg_ctl" -D "$PG_HOME/data" -l "$PG_HOME/log" -w -t 60 \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$PG_HOME -c fsync=off -c max_connections=300" \
    start >/dev/null) || { cat "$PG_HOME/log" >&2; die "PostgreSQL did not start"; }
  export LINKBEAT_TEST_DATABASE_URL="postgres://linkbeat:$password@127.0.0.1:$port/postgres"
}

postgres_programs() {
  local dir
  for dir in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) "$(dirname "$(command -v initdb || echo /none/x)")"; do
    if [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ]; then echo "$dir"; return; fi
  done
}

start_rabbitmq() {
  need rabbitmq-server RabbitMQ rabbitmq-server
  RABBIT_HOME="$SERVERS/rabbitmq"
  mkdir "$RABBIT_HOME"
  local port dist_port epmd_port
  port=$(free_port) dist_port=$(free_port) epmd_port=$(free_port)
  say "starting RabbitMQ on port $port"
  rabbit_environment "$port" "$dist_port" "$epmd_port"
  epmd -port "$epmd_port" -address 127.0.0.1 >/dev/null 2>&1 &
  EPMD_PID=$!
  # Debian's wrapper would change to the rabbitmq user: the server's own script runs it as we are.
  env "${RABBIT_ENV[@]}" "$(rabbit_script)" >"$RABBIT_HOME/out" 2>&1 &
  RABBIT_PID=$!
  wait_for_port "$port" 60 || { tail -n 40 "$RABBIT_HOME/out" >&2; die "RabbitMQ did not start"; }
  export LINKBEAT_TEST_BROKER_URL="amqp://guest:guest@127.0.0.1:$port/"
}

rabbit_script() {
  ls /usr/lib/rabbitmq/bin/rabbitmq-server 2>/dev/null || command -v rabbitmq-server
}

rabbit_environment() {
  cat >"$RABBIT_HOME/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$1
loopback_users = none
log.console = true
log.console.level = warning
disk_free_limit.absolute = 100MB
CONF
  : >"$RABBIT_HOME/enabled_plugins"
  RABBIT_ENV=(
    HOME="$RABBIT_HOME" RABBITMQ_CONFIG_FILE="$RABBIT_HOME/rabbitmq" RABBITMQ_CONF_ENV_FILE=/dev/null
    RABBITMQ_NODENAME="linkbeat-test-$$@localhost" RABBITMQ_DIST_PORT="$2" ERL_EPMD_PORT="$3"
    ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_MNESIA_BASE="$RABBIT_HOME/mnesia" RABBITMQ_LOG_BASE="$RABBIT_HOME/log"
    RABBITMQ_ENABLED_PLUGINS_FILE="$RABBIT_HOME/enabled_plugins" RABBITMQ_SERVER_START_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
  )
}

# wait_for_port PORT SECONDS
wait_for_port() {
  local _
  for _ in $(seq $(($2 * 5))); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
    sleep 0.2
  done
  return 1
}

need_fault_tools() {
  need rabbitmq-server RabbitMQ rabbitmq-server
  [ -n "$(postgres_programs)" ] || install_package PostgreSQL postgresql
  need faketime libfaketime faketime
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
