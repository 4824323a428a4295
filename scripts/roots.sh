# scripts/roots.sh - clean Debian systems to build and test in; to be sourced after lib.sh
#
# A root is made once for each release, with debootstrap, from the mirror that this machine's apt uses, and kept below
# $cache.  What runs in one sees it through an overlay in memory and in namespaces of its own: nothing that it writes,
# mounts or starts outlives it, however it or we end.  Needs root and Linux with overlayfs.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/sgip_fdw
remake=
child=

# What the machine must have.
need_roots() {
	local program
	[ "$(id -u)" = 0 ] || die "needs root, for debootstrap, mounts and namespaces"
	command -v debootstrap >/dev/null || {
		say "Installing debootstrap"
		{ apt-get -qq -y install --no-install-recommends debootstrap ||
			{ apt-get -qq update && apt-get -qq -y install --no-install-recommends debootstrap; }; } >/dev/null 2>&1 ||
			die "apt-get could not install debootstrap"
	}
	for program in unshare setpriv ip flock; do
		command -v "$program" >/dev/null || die "needs $program (Debian's packages util-linux and iproute2)"
	done
	mkdir -p "$cache/mount"
	cache=$(cd "$cache" && pwd)
	exec 9>"$cache/lock"
	flock -n 9 || die "another run uses $cache"
	trap 'end_child; trap - EXIT' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}

# Ends what runs in a root: with unshare goes its first process, and so all others and the mounts.
end_child() {
	[ -z "$child" ] || { kill -KILL "$child" && wait "$child"; } 2>/dev/null || true
	child=
}

# Runs a command so that a signal to us is answered at once.
run_child() {
	local status=0
	"$@" </dev/null &
	child=$!
	wait "$child" || status=$?
	child=
	return "$status"
}

# Mirrors that apt of this machine uses: that of Debian and, if there is one, that of its security updates.
debian_mirror() {
	apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' | grep -m 1 '/debian/*$'
}
security_mirror() {
	apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' | grep -m 1 '/debian-security/*$'
}

# Shows the end of a log, without names of mirrors.
show_end() {
	tail -n "${2:-20}" "$1" | sed -E 's#(https?|ftp)://[^/ ]*#MIRROR#g; s/^/    /' >&2
}

# make_root NAME SUITE[+experimental] FILE COMMAND: the root $cache/NAME, where COMMAND has run once, with the network and
# this project's scripts/ and debian/ in /project.  It is made anew when COMMAND or FILE, which says what to install, has
# changed.
make_root() {
	local name=$1 command=$4 root=$cache/$1 key
	key=$({ echo "$2 $4"; cat "$top/$3"; } | sha256sum)
	if [ -n "$remake" ] || [ "$(cat "$root.key" 2>/dev/null)" != "$key" ]; then
		say "Making a root of $2 for $name, once ($cache/$name.log)"
		rm -rf --one-file-system "$root" "$root.key" "$root.new"
		mkdir "$root.new"
		run_child setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child -- \
			bash -euc "$(declare -f fill_root debian_mirror security_mirror)"'; fill_root "$@"' - \
			"$root.new" "$2" "$top" "$command" >"$cache/$name.log" 2>&1 || { show_end "$cache/$name.log"; return 1; }
		mv "$root.new" "$root"
		echo "$key" >"$root.key"
	fi
}

# The part of make_root that runs in namespaces of its own.
fill_root() {
	local root=$1 suite=${2%+*} more= top=$3 command=$4 mirror script=
	[ "$suite" = "$2" ] || more=${2#*+}
	mirror=$(debian_mirror) || { echo "apt of this machine uses no mirror of Debian"; exit 1; }
	[ -e "/usr/share/debootstrap/scripts/$suite" ] || script=/usr/share/debootstrap/scripts/sid
	mount -t proc proc /proc
	debootstrap --variant=minbase "$suite" "$root" "$mirror" ${script:+"$script"}

	# apt there behaves as apt here
	apt-config dump | grep -E '^Acquire::(https?|ftp|Check-|Retries)' >"$root/etc/apt/apt.conf.d/10host" || true
	echo 'APT::Install-Recommends "false";' >>"$root/etc/apt/apt.conf.d/10host"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	echo "deb $mirror $suite main" >"$root/etc/apt/sources.list"
	case $suite in
		bookworm | trixie)
			! mirror=$(security_mirror) || echo "deb $mirror $suite-security main" >>"$root/etc/apt/sources.list" ;;
	esac
	if [ -n "$more" ]; then
		echo "deb $mirror $more main" >>"$root/etc/apt/sources.list"
		printf 'Package: postgresql* libpq*\nPin: release a=%s\nPin-Priority: 990\n' "$more" >"$root/etc/apt/preferences.d/$more"
	fi
	# no service is started, and no cluster is made
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"

	mount -t proc proc "$root/proc"
	mkdir "$root/project" "$root/src" "$root/out"
	cp -r "$top/scripts" "$top/debian" "$root/project/"
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
		chroot "$root" sh -ec "cd /project; apt-get -q update; $command; rm -rf /project /var/cache/apt/archives/*.deb"
}

# The working tree as a tar file on standard output: in a clone, all files but those that git ignores.
tree() {
	if [ -e "$top/.git" ]; then
		git -C "$top" -c safe.directory="$top" ls-files -z --cached --others --exclude-standard |
			(cd "$top" && while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done) |
			tar -C "$top" -c --null --no-recursion -T -
	else
		tar -C "$top" -c --exclude=./results --exclude='*.o' --exclude='*.so' .
	fi
}

# in_root [--net] NAME SECONDS OUT COMMAND: runs COMMAND, for so long at most, in /src of the root, where the working
# tree is; the directory OUT is /out.  The network is the root's own and empty, or with --net the machine's.
in_root() {
	local net=--net
	[ "$1" != --net ] || { net=; shift; }
	mkdir -p "$3"
	tree >"$cache/tree.tar"
	run_child setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child --ipc --uts $net -- \
		bash -euc "$(declare -f enter_root)"'; enter_root "$@"' - "$cache" "$1" "$2" "$3" "$net" "$4"
}

# The part of in_root that runs in namespaces of its own, as their first process.
enter_root() {
	local cache=$1 name=$2 seconds=$3 out=$4 net=$5 command=$6 root=$1/mount/root
	[ -z "$net" ] || ip link set lo up
	mount -t tmpfs -o mode=755 tmpfs "$cache/mount"
	mkdir "$cache"/mount/{upper,work,root}
	mount -t overlay -o "lowerdir=$cache/$name,upperdir=$cache/mount/upper,workdir=$cache/mount/work" overlay "$root"
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
	mount --bind "$out" "$root/out"
	tar -C "$root/src" --no-same-owner -xf "$cache/tree.tar"
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
		timeout --kill-after 20 "$seconds" chroot "$root" bash -c "cd /src; $command"
}
