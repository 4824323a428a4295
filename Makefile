# sgip_fdw/Makefile

MODULE_big = sgip_fdw
OBJS = \
	analyze.o \
	available.o \
	credentials.o \
	decode.o \
	fetch.o \
	gate.o \
	http.o \
	http_drive.o \
	http_head.o \
	http_line.o \
	import.o \
	json.o \
	json_flat.o \
	json_tree.o \
	keyset.o \
	listing.o \
	option.o \
	plan.o \
	pushdown.o \
	report.o \
	request.o \
	retry.o \
	row.o \
	scan.o \
	search.o \
	searchcheck.o \
	session.o \
	sgip_fdw.o \
	table.o \
	task.o

EXTENSION = sgip_fdw
DATA = sgip_fdw--1.0.sql
PGFILEDESC = "sgip_fdw - foreign-data wrapper for SendGrid's IP management"

# the version is stated in the control file alone
SGIP_VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" sgip_fdw.control)
PG_CPPFLAGS = -D_GNU_SOURCE -DSGIP_VERSION='"$(SGIP_VERSION)"' \
	$(shell pkg-config --cflags libcurl jansson)
# our functions call each other, not what another library loaded before has by the same name
SHLIB_LINK = $(shell pkg-config --libs libcurl jansson) -Wl,-Bsymbolic-functions

# make installcheck: every sql/*.sql, against the server that psql would reach.
# Their emulator is that of $SGIP_EMULATOR (scripts/with-stack sets it); without
# that, one is started which ends with this make.  Its URL is kept in a file, and
# pg_regress hands it to each psql.
REGRESS = $(sort $(notdir $(basename $(wildcard sql/*.sql))))
REGRESS_PREP = emulator
REGRESS_OPTS = --launcher="env SGIP_EMULATOR=$$(cat regression.emulator)"
EXTRA_CLEAN = regression.emulator

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(wildcard *.h) Makefile sgip_fdw.control

.PHONY: emulator
emulator:
	@echo "$$SGIP_EMULATOR" | sed '/^$$/d' > regression.emulator
	@test -s regression.emulator || { \
		python3 -B test/emulator.py --parent-pid $$PPID < /dev/null > regression.emulator & \
		until test -s regression.emulator; do kill -0 $$! || exit 1; sleep 0.1; done; }
