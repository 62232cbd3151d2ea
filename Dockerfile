# syntax=docker/dockerfile:1
# The service alone: it needs DATABASE_URL. For a trial without a database, use ./run.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin stagegate && cp target/release/stagegate /stagegate

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    # With an entry in passwd: some programs look their user up.
    && useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin stagegate
COPY --from=build /stagegate /usr/local/bin/stagegate
USER 10001
ENV STAGEGATE_LISTEN=0.0.0.0:8080 \
    STAGEGATE_PRIVATE_DATABASE=false \
    STAGEGATE_LOG_FORMAT=json
EXPOSE 8080
# Whether the process lives; whether it can serve (/ready) is for the balancer, or a lost database would restart everything.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["sh", "-c", "curl -fsS -o /dev/null \"http://127.0.0.1:${STAGEGATE_LISTEN##*:}/health\""]
STOPSIGNAL SIGTERM
ENTRYPOINT ["stagegate"]
CMD ["serve"]
