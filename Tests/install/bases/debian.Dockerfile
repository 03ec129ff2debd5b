# Stands in for debian:bookworm-slim: the tree that Tests/install/containers has made.
FROM scratch
ADD debian.tar /
# As in the official image: apt keeps no packages, and no index of them in binary form.
RUN printf '%s\n' 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };' \
    'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' >/etc/apt/apt.conf.d/docker-clean
CMD ["bash"]
