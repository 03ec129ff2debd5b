# Stands in for postgres:15-bookworm: its user, directories, variables and signal, and an entry point that
# does the same in short.
FROM localhost/orbital-test/debian
RUN groupadd --gid 999 postgres \
    && useradd --uid 999 --gid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres \
    && apt-get update && apt-get install -y --no-install-recommends postgresql-15 \
    && rm -rf /var/lib/postgresql/15 /etc/postgresql/15 \
    && install -d -o postgres -g postgres -m 3777 /run/postgresql \
    && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql/data
COPY postgres-entrypoint /usr/local/bin/
ENV LANG=C.UTF-8 PGDATA=/var/lib/postgresql/data PATH=$PATH:/usr/lib/postgresql/15/bin
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["postgres-entrypoint"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["postgres"]
