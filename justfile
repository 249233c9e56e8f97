# Short names for the commands of CONTRIBUTING.md; `just` alone lists them.

_default:
    @just --list --unsorted

# Type-check everything, tests and benches too
check *arguments:
    cargo check --workspace --all-targets --locked {{ arguments }}

# Run every test against real servers (arguments go to `cargo test`)
test *arguments:
    scripts/test {{ arguments }}

# Measure
bench *arguments:
    cargo bench --workspace --locked {{ arguments }}

# Daemon, sample traffic and console in one process
demo *arguments:
    cargo run --locked -- demo {{ arguments }}

# Format the sources
fmt:
    cargo fmt --all

# Everything that judges the sources without running them
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
    scripts/deny

# Kill the daemon again and again under load and look for lost or doubled work
crash *arguments:
    scripts/crash-test {{ arguments }}

# Throw generated requests at a daemon as every kind of caller
fuzz-api *arguments:
    scripts/fuzz-api {{ arguments }}

# What has to pass before a change lands
ci:
    CI=true bash .ci/run
