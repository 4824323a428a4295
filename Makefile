# sgip_fdw/Makefile

MODULE_big = sgip_fdw
EXTENSION = sgip_fdw
PGFILEDESC = "sgip_fdw - foreign-data wrapper for SendGrid's IP management"

# where the sources are: not here when built for several versions, each in a
# directory of its own (make -f ../Makefile)
here := $(dir $(firstword $(MAKEFILE_LIST)))
OBJS = $(patsubst $(here)%.c,%.o,$(sort $(wildcard $(here)*.c $(here)src/*/*.c)))
DATA = $(notdir $(sort $(wildcard $(here)sgip_fdw--*.sql)))

# the version is stated in the control file alone
SGIP_VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(here)sgip_fdw.control)
PG_CPPFLAGS = -I$(here)src -D_GNU_SOURCE -DSGIP_VERSION='"$(SGIP_VERSION)"' \
	$(shell pkg-config --cflags libcurl jansson)
# our functions call each other, not what another library loaded before has by the same name
SHLIB_LINK = $(shell pkg-config --libs libcurl jansson) -Wl,-Bsymbolic-functions

# make installcheck: every sql/*.sql, against the server that psql would reach and the emulator of $SGIP_EMULATOR
# (scripts/with-stack sets it); without that, one is started which ends with this make.  Its URL is kept in a file,
# and pg_regress hands it to each psql.
REGRESS = $(notdir $(basename $(sort $(wildcard $(here)sql/*.sql))))
REGRESS_PREP = emulator
REGRESS_OPTS = --launcher="env SGIP_EMULATOR=$$(cat regression.emulator)"
EXTRA_CLEAN = regression.emulator

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS) $(OBJS:.o=.bc): $(wildcard $(here)src/*.h $(here)src/*/*.h) $(here)Makefile $(here)sgip_fdw.control
# a build outside of the sources needs the folders
$(shell mkdir -p $(sort $(dir $(OBJS))))

.PHONY: emulator dist
emulator:
	@type curl python3 > /dev/null || { echo "make installcheck needs curl and python3" >&2; exit 1; }
	@echo "$$SGIP_EMULATOR" | sed '/^$$/d' > regression.emulator; test -s regression.emulator || { \
		python3 -B $(here)test/emulator.py --parent-pid $$PPID < /dev/null > regression.emulator & \
		until test -s regression.emulator; do kill -0 $$! || exit 1; sleep 0.1; done; }

# what is committed, as a file that needs no git to be built and tested
dist:
	git archive --prefix=sgip_fdw-$(SGIP_VERSION)/ -o sgip_fdw-$(SGIP_VERSION).tar.gz HEAD
