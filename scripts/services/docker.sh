# shellcheck shell=bash
# Containers with names of this checkout's own. Sourced by services.sh.

container() { echo "postrider-$ID-$1"; }

docker_answers() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }

# docker_start PART IMAGE OPTIONS… [-- COMMAND…]: starts the container that is there, else
# makes it. An engine that cannot get the image is no reason to give up: packages come next.
docker_start() {
  local part=$1 image=$2 name log=$SERVICES/$1.docker.log began=$SECONDS options=()
  shift 2
  while [[ $# -gt 0 && $1 != -- ]]; do
    options+=("$1")
    shift
  done
  [[ $# -eq 0 ]] || shift
  name=$(container "$part")
  if docker start "$name" >"$log" 2>&1; then return; fi
  docker rm -f "$name" >/dev/null 2>&1 || true
  say "$part: starting $image in Docker"
  if ! docker run -d --name "$name" "${options[@]}" "$image" "$@" >"$log" 2>&1; then
    say "$part: Docker could not: $(tail -n 1 "$log")"
    docker rm -f "$name" >/dev/null 2>&1 || true
    return 1
  fi
  say "$part: container $name made in $((SECONDS - began)) s"
}

docker_runs() { [[ $(docker inspect -f '{{.State.Running}}' "$(container "$1")" 2>/dev/null) == true ]]; }

docker_stop() { docker stop -t 30 "$(container "$1")" >/dev/null 2>&1 || true; }

docker_remove() {
  local part
  for part; do
    [[ $(backend "$part") != docker ]] || docker rm -fv "$(container "$part")" >/dev/null 2>&1 || true
  done
}
