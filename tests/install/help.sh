# shellcheck shell=bash
# What the help of "$program" says; sourced.

options_in_help() { # WORD...
    # shellcheck disable=SC2154  # who sources this sets it
    "$program" "$@" --help | sed -nE '/^  +-/p' | grep -oE -- '--[a-z-]+' | sort -u
}
verbs_in_help() { # WORD...
    "$program" "$@" --help | sed -n '/^Subcommands:/,$p' | sed -nE 's/^  ([a-z-]+) .*/\1/p' | sort -u
}
