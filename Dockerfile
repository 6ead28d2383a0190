# linkbeat in a small image: non-root, works with a read-only root file system.
#   docker build -t linkbeat .
FROM rust:1.89-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked && cp target/release/linkbeat /linkbeat

FROM debian:12.12-slim
# The certificates of public authorities: without them every https site looks untrusted.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /linkbeat /usr/local/bin/linkbeat
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["linkbeat"]
CMD ["--help"]
