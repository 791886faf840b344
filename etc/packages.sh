# shellcheck shell=bash
# install_packages KIND...: installs what etc/dependencies lists of these kinds and is missing.
# Sourced by etc/bootstrap and tests/run; $source is the tree.
install_packages() {
    local kinds missing
    kinds=$(printf '%s|' "$@")
    # shellcheck disable=SC2154  # the caller sets it
    missing=$(sed -nE "s/^(${kinds%|}) //p" "$source/etc/dependencies" | while read -r package; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            echo "$package"
    done)
    [ -n "$missing" ] || return 0
    export DEBIAN_FRONTEND=noninteractive
    local apt=(apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    "${apt[@]}" update
    # shellcheck disable=SC2086  # a word is a package
    "${apt[@]}" install -y --no-install-recommends $missing
}
