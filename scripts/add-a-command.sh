#!/usr/bin/env bash
# The example in docs/add-a-command.md: applies its patch to a copy of the sources and tests it there.
#
#   scripts/add-a-command.sh          applies the patch, builds the unit tests and runs those of the example
#   scripts/add-a-command.sh edit     makes a copy to work in; what the patch no longer fits is in *.rej files
#   scripts/add-a-command.sh renew    writes the patch from what that copy has
#
# Dependencies are those of the ordinary build, in the same target folder. Only the library is built again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup.sh

patch=$PWD/docs/add-a-command.patch
target=${CARGO_TARGET_DIR:-$PWD/target}
copies=$target/add-a-command
# The tests that know every type of command and event, and those of the example itself.
tests=(domain::tests::types domain::tests::grid domain::tests::golden domain::tests::comments
    the_table_has_exactly_the_fields_that_events_have the_format_stays_as_it_is every_party_sees_its_view
    the_example_of_every_type_is_a_command_of_that_type)

have git || install "applies a patch" git git

copy_sources() {
    rm -rf "$1"
    mkdir -p "$1"
    tar --exclude=./target --exclude=./.git -cf - . | tar -xf - -C "$1"
    # With the same version, cargo would take what it built of the copy for what it built of the sources.
    for file in Cargo.toml Cargo.lock; do
        sed -e '/^name = "stagegate"$/{' -e n -e 's/"$/-example"/' -e '}' "$file" >"$1/$file"
    done
}

# sync FROM TO: makes TO the same as FROM and leaves files alone that are the same already, so that cargo builds no more
# than what changed.
sync() {
    mkdir -p "$2"
    (cd "$2" && find . -type f) | while IFS= read -r file; do [ -e "$1/$file" ] || rm -f "$2/$file"; done
    (cd "$1" && find . -type f) | while IFS= read -r file; do
        cmp -s "$1/$file" "$2/$file" || { mkdir -p "$(dirname "$2/$file")" && cp "$1/$file" "$2/$file"; }
    done
}

# Without GIT_DIR, git would look for a repository around the copy and apply the patch to nothing.
apply() {
    GIT_DIR=/nonexistent git -C "$1" apply -C1 "$patch"
}

check() {
    local new=$copies/new tree=$copies/tree
    copy_sources "$new"
    apply "$new" || die "docs/add-a-command.patch no longer fits the code. $renewal"
    sync "$new" "$tree"
    rm -rf "$new"
    (cd "$tree" && SQLX_OFFLINE=true CARGO_TARGET_DIR="$target" \
        cargo test --locked --offline --quiet --lib -- "${tests[@]}") >"$copies/tests.log" 2>&1 || {
        cat "$copies/tests.log" >&2
        die "the example in docs/add-a-command.md no longer works; its tree is $tree. $renewal"
    }
    say "the example works: $(grep '^test result' "$copies/tests.log" | cut -d' ' -f4) tests passed"
}

renewal="To renew it: scripts/add-a-command.sh edit, mend the copy that it names, then scripts/add-a-command.sh renew"

edit() {
    local tree=$copies/edit
    # Else the patch would format the sources, and fail as soon as somebody else did.
    cargo fmt --check >/dev/null || die "the sources are not formatted: cargo fmt"
    copy_sources "$tree"
    (cd "$tree" && git init --quiet && git add --all &&
        git -c user.name=example -c user.email=example@localhost commit --quiet --message base)
    (cd "$tree" && git apply -C1 --reject --recount "$patch" 2>"$copies/rejected.log") || grep '^error' "$copies/rejected.log" >&2 || true
    say "$tree has the example, as far as it fits; rejected hunks:"
    (cd "$tree" && find . -name '*.rej') >&2
    say "mend it until its tests pass: (cd $tree && CARGO_TARGET_DIR=$target cargo test --lib)"
    say "then scripts/add-a-command.sh renew writes the patch"
}

renew() {
    local tree=$copies/edit
    [ -d "$tree/.git" ] || die "there is no copy with the example: scripts/add-a-command.sh edit makes it"
    find "$tree" -name '*.rej' -delete
    (cd "$tree" && cargo fmt && git add --all --intent-to-add &&
        git diff --unified=2 --no-color --no-ext-diff --src-prefix=a/ --dst-prefix=b/ HEAD) >"$patch.new"
    mv "$patch.new" "$patch"
    say "wrote docs/add-a-command.patch"
}

ensure_rust
case "${1-}" in
'') check ;;
edit) edit ;;
renew) renew ;;
*) die "what is $1? scripts/add-a-command.sh, scripts/add-a-command.sh edit, scripts/add-a-command.sh renew" ;;
esac
