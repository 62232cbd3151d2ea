# syntax=docker/dockerfile:1
# The service alone: it needs DATABASE_URL. For a trial without a database, use ./run.

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked --bin stagegate && cp target/dist/stagegate /usr/local/bin/
# What the program needs of the system, and nothing else: no shell, no package manager.
RUN scripts/image-root.sh /usr/local/bin/stagegate /root-of-image

FROM scratch
COPY --from=build /root-of-image /
USER 10001:10001
ENV STAGEGATE_LISTEN=0.0.0.0:8080 \
    STAGEGATE_PRIVATE_DATABASE=false \
    STAGEGATE_LOG_FORMAT=json
EXPOSE 8080
# Whether the process lives; whether it can serve (/ready) is for the balancer, or a lost database would restart everything.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/usr/local/bin/stagegate", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/stagegate"]
CMD ["serve"]
