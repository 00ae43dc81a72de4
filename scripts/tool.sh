#!/usr/bin/env bash
# tool.sh FILE PACKAGE: builds a Go tool into FILE, whose name ends in -VERSION.
set -euo pipefail

file=$1 package=$2 version=${1##*-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

echo "tools: building ${file##*/} from source"
CGO_ENABLED=0 GOBIN=$folder go install "$package@$version"
mkdir -p "${file%/*}"
mv "$folder/${package##*/}" "$file"
echo "tools: built ${file##*/} in $SECONDS s"
