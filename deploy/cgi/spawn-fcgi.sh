#!/bin/sh
# spawn-fcgi: opens the socket and starts the responder behind it, for any server that speaks FastCGI
# to a Unix socket; where there is no systemd, from an init script or by hand. As root:
#   -u, -g    who the responder runs as     -U, -G    who may connect: the web server's group
#             (without systemd, `useradd --system orbital-usage` makes the user)
#   -P        TERM to this process answers what was accepted, then ends it
#   the log   is what the responder writes to standard error
# The socket stays when the responder ends, and connections to it are refused until the next start.
install -d -m 755 /run/orbital-usage
exec /usr/bin/env CONFIG_ENV=production \
    /usr/bin/spawn-fcgi -s /run/orbital-usage/orbital.sock -M 0660 -b 1024 \
    -u orbital-usage -g orbital-usage -U orbital-usage -G www-data -P /run/orbital-usage/orbital.pid \
    -- /usr/bin/orbital-fcgi >/dev/null 2>>/var/log/orbital-usage.log
