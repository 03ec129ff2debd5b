#!/bin/sh
# spawn-fcgi: opens the socket and starts the responder on it, for any web server that supports FastCGI over a Unix
# socket; without systemd, from an init script or by hand. As root:
#   -u, -g    user and group of the responder    -U, -G    who may connect: the web server's group
#             (without systemd, `useradd --system orbital-usage` creates the user)
#   -P        the process id; TERM lets it complete accepted requests, then exit
#   the log   is the responder's standard error
# The socket stays when the responder ends, and connections to it are refused until the next start.
install -d -m 755 /run/orbital-usage
exec /usr/bin/env CONFIG_ENV=production \
    /usr/bin/spawn-fcgi -s /run/orbital-usage/orbital.sock -M 0660 -b 1024 \
    -u orbital-usage -g orbital-usage -U orbital-usage -G www-data -P /run/orbital-usage/orbital.pid \
    -- /usr/bin/orbital-fcgi >/dev/null 2>>/var/log/orbital-usage.log
