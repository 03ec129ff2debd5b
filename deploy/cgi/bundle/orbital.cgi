#!/bin/sh
# Starts the program of the bundle, with the bundle's own libraries: the host gives this shell, no more.
# The bundle lies beside the document root; if it is elsewhere, say so here.
cd "${SCRIPT_FILENAME%/*}/../orbital-usage" || exit 1
export CONFIG_ENV=production
exec lib/ld-linux-x86-64.so.2 --library-path lib libexec/orbital-fcgi
