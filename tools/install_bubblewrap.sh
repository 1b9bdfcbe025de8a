#!/bin/sh
# Grading runs student code in bubblewrap. Install it with the system's package manager when it is missing and
# this user may; otherwise say what to do. Never fails: everything but grading works without it.
command -v bwrap >/dev/null 2>&1 && exit 0

if [ "$(uname -s)" != Linux ]; then
    echo "bubblewrap runs on Linux only: this machine can make releases, but grade on Linux (or in a Linux VM)."
    exit 0
fi
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    as_root=none
fi
if [ "$as_root" != none ]; then
    echo "Installing bubblewrap ..."
    if command -v apt-get >/dev/null 2>&1; then
        ($as_root apt-get install -y -qq bubblewrap || { $as_root apt-get update -qq && $as_root apt-get install -y -qq bubblewrap; }) >/dev/null 2>&1
    elif command -v dnf >/dev/null 2>&1; then
        $as_root dnf install -y -q bubblewrap >/dev/null 2>&1
    elif command -v pacman >/dev/null 2>&1; then
        $as_root pacman -S --noconfirm --quiet bubblewrap >/dev/null 2>&1
    elif command -v zypper >/dev/null 2>&1; then
        $as_root zypper --non-interactive --quiet install bubblewrap >/dev/null 2>&1
    elif command -v apk >/dev/null 2>&1; then
        $as_root apk add --quiet bubblewrap >/dev/null 2>&1
    fi
fi
command -v bwrap >/dev/null 2>&1 && exit 0
echo "Grading needs bubblewrap, and it could not be installed here. Ask for the package 'bubblewrap'"
echo "(Debian and Ubuntu: sudo apt-get install bubblewrap; Fedora: sudo dnf install bubblewrap) and run this again."
