#!/bin/sh
# Collects what a container image of a program needs: the program, the libraries that it is linked with, the public
# certificate authorities, and a user. Linux with glibc; the Dockerfile and a test call it.
#
#   scripts/image-root.sh PROGRAM FOLDER
set -eu
program=$1 root=$2
mkdir -p "$root/etc/ssl/certs" "$root/usr/local/bin" "$root/tmp"
chmod 1777 "$root/tmp"
cp "$program" "$root/usr/local/bin/stagegate"
# The paths in what ldd prints; links are followed, so that each path leads to a file.
ldd "$program" | grep -o '/[^ ]*' | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
# Some programs look their user up.
printf 'stagegate:x:10001:10001::/nonexistent:/nonexistent\n' >"$root/etc/passwd"
printf 'stagegate:x:10001:\n' >"$root/etc/group"
# Names are looked up in /etc/hosts first, then by DNS.
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
