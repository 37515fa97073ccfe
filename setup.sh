#!/usr/bin/env bash
# Sets testbedctl up on Debian or Ubuntu, and takes back what it added. See docs/how-to/install.md.
set -euo pipefail

PACKAGES=(openvswitch-switch iperf3 prometheus prometheus-node-exporter iproute2 ethtool tcpdump util-linux procps)
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
ROOT=${TESTBEDCTL_SETUP_ROOT:-} # tests put a directory with its own /etc, /usr/sbin and /run here
LABS=${TESTBEDCTL_STATE:-/var/lib/testbedctl}
STATE=$LABS/.setup # no lab can have this name
POLICY=$ROOT/usr/sbin/policy-rc.d
MARK="written by testbedctl's setup.sh: services stay off while packages are installed"
STAMP=.venv/.testbedctl-setup
TRAIN_STAMP=.venv/.testbedctl-train

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { local code=$1; shift; say "$*"; exit "$code"; }

# --- the host ----------------------------------------------------------------------------------------------------

check_host() {
    [[ $(id -u) == 0 ]] ||
        fail 4 "not root, and Debian packages must be installed: run 'sudo -E ./setup.sh $1'"
    local like
    # shellcheck source=/dev/null
    like=$(. "$ROOT/etc/os-release" 2>/dev/null && printf ' %s %s ' "${ID:-}" "${ID_LIKE:-}") || like=
    [[ $like =~ " debian "|" ubuntu " ]] || like=
    [[ -n $like && -n $(command -v apt-get) ]] ||
        fail 4 "not Debian or Ubuntu: use Debian 12 (or Ubuntu 24.04) on this machine, in a virtual machine or in a container"
}

# Sets PYTHON; a machine without any gets Debian's, one whose Python lacks venv gets that.
find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11 python3.14; do
        python_fits "$candidate" || continue
        PYTHON=$(command -v "$candidate")
        "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
            PACKAGES+=("$("$PYTHON" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')")
        return
    done
    ! command -v python3 >/dev/null ||
        fail 4 "$(python3 --version 2>&1) does not fit, 3.11 to 3.14 do: run 'apt-get install python3.11 python3.11-venv', or use Debian 12 or Ubuntu 24.04"
    PACKAGES+=(python3 python3-venv)
    PYTHON=python3
}

python_fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null
}

one_at_a_time() {
    mkdir -p "$STATE"
    exec 9>"$STATE/lock"
    flock --nonblock 9 || fail 4 "another setup.sh is at work on this machine: wait until it has ended"
}

# --- Debian packages ---------------------------------------------------------------------------------------------

present_packages() {
    dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
        awk '$2 != "not-installed" && $2 != "config-files" { print $1 }' | sort -u
}

install_packages() {
    local missing
    mapfile -t missing < <(comm -23 <(printf '%s\n' "${PACKAGES[@]}" | sort -u) <(present_packages "${PACKAGES[@]}"))
    ((${#missing[@]})) || return 0
    say "installing ${#missing[@]} Debian packages: ${missing[*]}"
    : >"$STATE/apt.log"
    apt update || say "apt-get update reported errors (see $STATE/apt.log); going on with the package lists at hand"
    plan_packages "${missing[@]}"
    guard_services
    apt install -y --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}" ||
        fail 5 "apt-get could not install them: $(grep -m1 '^E:' "$STATE/apt.log" || echo unknown error) (all of it: $STATE/apt.log)"
    finish_packages
}

apt() {
    DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -q -o DPkg::Lock::Timeout=120 "$@" </dev/null >>"$STATE/apt.log" 2>&1
}

# Writes down what will be new before anything is, so that a killed set-up can still be taken back.
plan_packages() {
    DEBIAN_FRONTEND=noninteractive apt-get -q --simulate install --no-install-recommends "$@" </dev/null 2>>"$STATE/apt.log" |
        awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }' | sort -u >"$STATE/planned.new" ||
        fail 5 "these packages cannot be installed here: $(grep -m1 '^E:' "$STATE/apt.log" || echo unknown error)"
    dpkg-query -W -f='${Package} ${db:Status-Status}\n' | awk '$2 == "config-files" { print $1 }' |
        sort -u | comm -12 - "$STATE/planned.new" >>"$STATE/configured-before"
    mv "$STATE/planned.new" "$STATE/planned"
}

# What an installation leaves to do, also after Ctrl-C: the old policy, the list of new packages, their services off.
finish_packages() {
    restore_policy
    [[ -f $STATE/planned ]] || return 0
    local added
    mapfile -t added < <(comm -12 "$STATE/planned" <(present_packages))
    touch "$STATE/packages"
    printf '%s\n' "${added[@]}" | sort -u - "$STATE/packages" | comm -12 - <(present_packages) >"$STATE/packages.new"
    mv "$STATE/packages.new" "$STATE/packages"
    rm "$STATE/planned"
    ((${#added[@]} == 0)) || keep_off "${added[@]}"
}

guard_services() {
    [[ ! -e $POLICY && ! -L $POLICY ]] || mv "$POLICY" "$POLICY.before-testbedctl"
    printf '#!/bin/sh\n# %s\nexit 101\n' "$MARK" >"$POLICY"
    chmod 755 "$POLICY"
}

restore_policy() {
    if [[ -e $POLICY.before-testbedctl || -L $POLICY.before-testbedctl ]]; then
        mv -f "$POLICY.before-testbedctl" "$POLICY"
    elif grep -qsF "$MARK" "$POLICY"; then
        rm -f "$POLICY"
    fi
}

# Packages enable their units for the next boot: units that were not there before are disabled.
keep_off() {
    local units
    mapfile -t units < <(dpkg-query -L "$@" | sed -nE 's#^(/usr)?/lib/systemd/system/([^/@]+\.(service|socket|timer))$#\2#p' | sort -u)
    ((${#units[@]})) && command -v systemctl >/dev/null || return 0
    systemctl --quiet disable "${units[@]}" 2>>"$STATE/apt.log" || say "could not disable: ${units[*]}"
    [[ ! -d $ROOT/run/systemd/system ]] || systemctl --quiet stop "${units[@]}" || say "could not stop: ${units[*]}"
}

# --- Python ------------------------------------------------------------------------------------------------------

install_python() {
    local wanted
    wanted=$({ sha256sum constraints.txt setup.sh pyproject.toml; "$PYTHON" --version; command -v "$PYTHON"; pwd; } | sha256sum)
    [[ ! -x .venv/bin/testbedctl || $(cat "$STAMP" 2>/dev/null) != "$wanted" ]] || return 0
    remove_venv
    [[ ! -e .venv ]] || fail 4 "$HERE/.venv was not made by setup.sh: move it away"
    say "installing $(grep -c '^[a-z].*==' constraints.txt) pinned Python packages into .venv (a minute or two)"
    mkdir .venv
    echo incomplete >"$STAMP"
    "$PYTHON" -m venv .venv
    # Packages that come as source only are built with the pinned setuptools, not with one that pip would fetch.
    pip --require-hashes --no-deps -r <(awk '/^[^ ]/ { on = /^(setuptools|wheel)==/ } on' constraints.txt)
    pip --require-hashes --no-build-isolation -r constraints.txt
    pip --no-deps --no-build-isolation --editable .
    echo "$wanted" >"$STAMP"
}

# PyTorch comes without its dependencies, which constraints-train.txt pins: those of its build for CUDA take several GB.
install_training() {
    local wanted torch
    wanted=$(sha256sum constraints-train.txt setup.sh pyproject.toml | sha256sum)
    [[ $(cat "$TRAIN_STAMP" 2>/dev/null) != "$wanted" ]] || return 0
    torch=$(grep -o 'torch==[0-9.]*' pyproject.toml)
    say "installing what training needs into .venv: $torch, Optuna, ONNX, Ray (a minute or two)"
    pip --require-hashes --no-build-isolation -r constraints-train.txt
    pip --no-deps "$torch"
    if ! .venv/bin/python -c 'import torch' 2>/dev/null; then
        say "this index has no $torch for the CPU, only for CUDA: installing its libraries too (several GB)"
        pip "$torch"
    fi
    echo "$wanted" >"$TRAIN_STAMP"
}

pip() { .venv/bin/python -m pip -qq --disable-pip-version-check install "$@" >&2 || fail 5 "pip failed: see above"; }

remove_venv() { [[ ! -e $STAMP ]] || rm -rf .venv; }

# --- verbs -------------------------------------------------------------------------------------------------------

install() {
    check_host "$1"
    find_python
    one_at_a_time
    finish_packages # of an earlier call that was killed
    trap finish_packages EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    install_packages
    python_fits "$PYTHON" || fail 4 "$("$PYTHON" --version 2>&1) came with this system, 3.11 to 3.14 fit: use Debian 12 or Ubuntu 24.04"
    install_python
    [[ $1 == install || $1 == demo ]] || install_training
    trap - EXIT INT TERM HUP
    exec 9>&-
    say "ready: $HERE/.venv/bin/testbedctl"
}

run_tests() {
    export PATH="$HERE/.venv/bin:$PATH"
    local failed=() results
    results=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$results'" EXIT
    ruff check . || failed+=("ruff check")
    ruff format --check . || failed+=("ruff format")
    mypy --strict || failed+=("mypy")
    python -m pytest tests/unit --junitxml="$results/unit.xml" || failed+=("unit tests")
    python -m pytest tests/system --junitxml="$results/system.xml" || failed+=("system tests")
    count_tests unit "$results/unit.xml"
    count_tests system "$results/system.xml"
    ((${#failed[@]} == 0)) || fail 1 "failed: $(IFS=,; echo "${failed[*]}")"
    say "all passed"
}

count_tests() {
    [[ -s $2 ]] || { say "$1 tests: no result"; return; }
    say "$1 tests: $(attribute tests "$2") run, $(attribute skipped "$2") skipped"
}

attribute() { grep -o " $1=\"[0-9]*\"" "$2" | head -n 1 | tr -dc 0-9; }

uninstall() {
    check_host uninstall
    one_at_a_time
    local up
    for up in "$LABS"/*/journal.jsonl "$ROOT"/run/testbedctl/*/lab; do # the latter names the state of labs kept elsewhere
        [[ ! -e $up ]] || fail 4 "a lab is still there ($([[ $up == */lab ]] && cat "$up" || dirname "$up")): run '.venv/bin/testbedctl down --all' first"
    done
    finish_packages
    remove_venv
    remove_packages
    rm -rf "$STATE" "$LABS"/.*.lock
    rmdir --ignore-fail-on-non-empty "$LABS"
    say "uninstalled"
}

# dpkg removes what is named and nothing else; apt would also take packages that came later and need ours.
remove_packages() {
    [[ -s $STATE/packages ]] || return 0
    local added left
    mapfile -t added <"$STATE/packages"
    say "purging ${#added[@]} Debian packages that setup.sh had added: ${added[*]}"
    dpkg --remove "${added[@]}" >"$STATE/apt.log" 2>&1 || true # judged by what is left
    mapfile -t added < <(comm -23 "$STATE/packages" <(sort -u "$STATE/configured-before"))
    ((${#added[@]} == 0)) || dpkg --purge "${added[@]}" >>"$STATE/apt.log" 2>&1 || true
    mapfile -t left < <(comm -12 "$STATE/packages" <(present_packages))
    ((${#left[@]} == 0)) || fail 6 "could not remove ${left[*]}: $(grep -m1 'depends on' "$STATE/apt.log" || tail -n 1 "$STATE/apt.log")"
}

PATH=${PATH//"$HERE/.venv/bin:"/} # an activated .venv must not rebuild itself
cd "$HERE"
case "${1:-}" in
    install) install install ;;
    train) install train ;;
    demo) install demo; exec .venv/bin/testbedctl demo ;;
    test) install test; run_tests ;;
    uninstall) uninstall ;;
    *) fail 2 "usage: ./setup.sh {install|train|demo|test|uninstall}" ;;
esac
