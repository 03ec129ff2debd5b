#!/bin/sh
# Starts the program with the bundle's libraries; the host provides only this shell.
# The bundle is expected beside the document root; otherwise change this path.
cd "${SCRIPT_FILENAME%/*}/../orbital-usage" || exit 1
export CONFIG_ENV=production
exec lib/ld-linux-x86-64.so.2 --library-path lib libexec/orbital-fcgi
