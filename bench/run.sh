#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make bench: both daemons, one client, one table.
set -eu
cd "$(dirname "$0")/.."
tools/deps.sh test
exec python3 bench/run.py "$(realpath "$1")" "${@:2}"
