# scripts/lib.sh - what the scripts share; to be sourced by bash
#
# Says where the project is, runs things as root or as user postgres, and makes and removes "stacks": a directory
# with throw-away PostgreSQL clusters and an emulator of the API that belong to one process, the owner.

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PG_CONFIG=${PG_CONFIG:-pg_config}
stack=

say() { printf '%s\n' "$*"; }
heading() { printf '\n=== %s\n' "$*"; }
complain() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { complain "$@"; exit 1; }

# check NAME COMMAND...: says "ok" or "not ok", and then what COMMAND printed; $failed remembers.
failed=0
check() {
	local name=$1 status=0 output
	shift
	output=$("$@" 2>&1) || status=1
	[ "$status" = 0 ] || { say "$output"; printf 'not '; failed=1; }
	say "ok - $name"
}

# is WHAT EXPECTED: for check; says what is different.
is() {
	[ "$1" = "$2" ] || { say "is $1, expected $2"; return 1; }
}

# Runs a command as root.
as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Runs a command as the user who may run PostgreSQL: the caller, but never root.
as_postgres() {
	if [ "$(id -u)" = 0 ]; then (cd / && exec runuser -u postgres -- "$@"); else "$@"; fi
}

# When a process was started, in ticks since boot; fails if it is gone.  Tells it from a later one with its number.
start_of() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	stat=${stat##*) }
	case $stat in [ZX]*) return 1 ;; esac
	set -- $stat
	echo "${20}"
}

# Copies the PostgreSQL of pg_config below a directory, most of it as links, and lets PG_CONFIG be the copy's: something
# can be installed there (make install DESTDIR=directory) that the original shall not get.  Programs find their files from
# where they are themselves, so that they cannot be links.
copy_postgresql() {
	local bin lib share
	bin=$("$PG_CONFIG" --bindir) lib=$("$PG_CONFIG" --pkglibdir) share=$("$PG_CONFIG" --sharedir)
	mkdir -p "$1${bin%/*}" "$1${lib%/*}" "$1${share%/*}"
	chmod 755 "$1"
	cp -r "$bin" "$1$bin"
	cp -rs "$lib" "$1$lib"
	cp -rs "$share" "$1$share"
	rm -f "$1$lib"/sgip_fdw.so "$1$share"/extension/sgip_fdw[.-]*
	PG_CONFIG=$1$bin/pg_config
}

# ---------------------------------------------------------------------------------------------------------------
# Stacks
# ---------------------------------------------------------------------------------------------------------------

# Makes an empty stack that belongs to a process, and removes those whose owner is gone.
# It is always under /tmp: a longer path may not fit into a socket's address, and user postgres must reach it.
make_stack() {
	local owner=$1 old
	for old in $(find /tmp -maxdepth 1 -type d -name 'sgip_fdw.*' -user "$(id -u)" 2>/dev/null); do
		stack_is_orphan "$old" && remove_stack "$old"
	done
	stack=$(mktemp -d /tmp/sgip_fdw.XXXXXX)
	echo "$owner $(start_of "$owner")" >"$stack/owner"
	chmod 755 "$stack"
}

# Whether the owner of a stack has ended.
stack_is_orphan() {
	local pid start
	read -r pid start <"$1/owner" 2>/dev/null || return 1
	[ "$(start_of "$pid" || true)" != "$start" ]
}

# Makes and starts the cluster of the stack that psql finds; arguments are lines of its configuration.  $cluster_port, if
# set, is its port.
start_cluster() {
	export PG_CONFIG PGHOST=$stack/pg PGPORT=${cluster_port:-5432} PGUSER=postgres PGDATABASE=postgres
	export PGDATA_DIR=$stack/pg/data PG_LOG=$stack/pg/log
	add_cluster pg "port = $PGPORT" "$@"
}

# add_cluster NAME SETTING...: makes and starts a cluster in a directory of that name, where its socket is as well.
# $PG_SERVER, if set, is a program that starts the server in place of postgres.
add_cluster() {
	local bin setting directory=$stack/$1
	shift
	bin=$("$PG_CONFIG" --bindir)
	[ -x "$bin/initdb" ] || die "no PostgreSQL server in $bin; run scripts/install-deps, or set PG_CONFIG"
	mkdir "$directory"
	[ "$(id -u)" != 0 ] || chown postgres "$directory"
	as_postgres "$bin/initdb" -D "$directory/data" -U postgres --auth-local=trust --auth-host=scram-sha-256 -E UTF8 --locale=C --no-sync >"$stack/initdb" 2>&1 ||
		{ cat "$stack/initdb" >&2; die "initdb failed"; }
	{
		echo "unix_socket_directories = '$directory'"
		echo "listen_addresses = ''"
		echo "port = 5432"
		echo "fsync = off"
		for setting in "$@"; do echo "$setting"; done
	} >>"$directory/data/postgresql.conf"
	run_cluster "$directory" || { tail -n 20 "$directory/log" >&2; die "the server did not start"; }
}

# Starts the server of a cluster's directory.
run_cluster() {
	local bin
	bin=$("$PG_CONFIG" --bindir)
	as_postgres "$bin/pg_ctl" -D "$1/data" -l "$1/log" -p "${PG_SERVER:-$bin/postgres}" -t 60 -w -s start >/dev/null
}

# Ends the server of a cluster's directory, if there is one; in that mode, or fast and then immediately.
stop_cluster() {
	local bin mode
	[ -s "$1/data/postmaster.pid" ] || return 0
	bin=$("$PG_CONFIG" --bindir)
	# fast first; that can wait for ever when a backend has just crashed
	for mode in ${2:-fast immediate}; do
		! as_postgres "$bin/pg_ctl" -D "$1/data" -m "$mode" -t 20 -w -s stop >/dev/null 2>&1 || return 0
	done
	return 1
}

# Starts an emulator that ends with a process, and not by an interrupt of ours; further arguments are the emulator's.
start_emulator() {
	local owner=$1 scheme=http tries=0 pid
	shift
	export SGIP_EMULATOR SGIP_EMULATOR_PORT SGIP_EMULATOR_LOG=$stack/emulator.log
	setsid python3 -B "$top/test/emulator.py" --ready-file "$stack/emulator.port" --log "$SGIP_EMULATOR_LOG" \
		--parent-pid "$owner" "$@" </dev/null >"$stack/emulator.out" 2>&1 &
	pid=$!
	disown "$pid"
	echo "$pid $(start_of "$pid" || true)" >"$stack/emulator.pid"
	until [ -s "$stack/emulator.port" ]; do
		tries=$((tries + 1))
		if [ "$tries" -gt 300 ] || ! start_of "$pid" >/dev/null; then
			cat "$stack/emulator.out" >&2
			die "the emulator did not start"
		fi
		sleep 0.05
	done
	SGIP_EMULATOR_PORT=$(cat "$stack/emulator.port")
	case " $* " in *" --tls "*) scheme=https ;; esac
	SGIP_EMULATOR=$scheme://127.0.0.1:$SGIP_EMULATOR_PORT
}

# Ends the processes of a stack.
stop_stack() {
	local cluster pid start
	for cluster in "$1"/*/; do
		stop_cluster "${cluster%/}" || true
	done
	if read -r pid start 2>/dev/null <"$1/emulator.pid" && [ "$(start_of "$pid" || true)" = "$start" ]; then
		kill "$pid" 2>/dev/null || true
	fi
}

# Ends the processes of a stack and removes its directory.
remove_stack() {
	stop_stack "$1"
	rm -rf "$1"
}

# Prints what the servers' logs say about crashes, and what one with assertions says about misused memory; fails if
# there is something.
log_is_clean() {
	! cat "$1"/*/log 2>/dev/null |
		grep -aE 'was terminated by signal|TRAP:|PANIC: |detected write past chunk end|problem in alloc set|runtime error:'
}
