# Stands in for swift:6.3-bookworm: what a toolchain needs; the machine's own is mounted at TOOLCHAIN.
FROM localhost/orbital-test/debian
RUN apt-get update && apt-get install -y --no-install-recommends binutils ca-certificates gcc git \
    libc6-dev libcurl4 libedit2 libncurses6 libpython3.11 libsqlite3-0 libstdc++-12-dev libxml2 \
    pkg-config tzdata zlib1g-dev
# Whom this machine trusts.
COPY ca-certificates.crt /etc/ssl/certs/
ARG TOOLCHAIN
ENV PATH=${TOOLCHAIN}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
