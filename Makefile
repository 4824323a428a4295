# sgip_fdw/Makefile

MODULE_big = sgip_fdw
OBJS = \
	analyze.o \
	decode.o \
	fetch.o \
	http.o \
	import.o \
	json.o \
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
SHLIB_LINK = $(shell pkg-config --libs libcurl jansson)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
