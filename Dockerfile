# The official image of PostgreSQL with sgip_fdw installed:
#
#	docker build -t postgres-sgip_fdw [--build-arg PG_MAJOR=18] .
#
# It is used as that image is; CREATE EXTENSION sgip_fdw remains to be done.
ARG PG_MAJOR=17
ARG RELEASE=bookworm

FROM postgres:${PG_MAJOR}-${RELEASE} AS build
RUN apt-get update \
	&& apt-get install -y --no-install-recommends \
		gcc libc6-dev libcurl4-openssl-dev libjansson-dev make pkg-config "postgresql-server-dev-$PG_MAJOR" \
	&& rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make PG_CONFIG="/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" with_llvm=no DESTDIR=/installed all install

# libcurl trusts the certificate authorities of ca-certificates
FROM postgres:${PG_MAJOR}-${RELEASE}
RUN apt-get update \
	&& apt-get install -y --no-install-recommends ca-certificates libcurl4 libjansson4 \
	&& rm -rf /var/lib/apt/lists/*
COPY --from=build /installed /
