# The program in an image of its own:
#
#   docker build -t unseen .
#   docker run --rm -v "$PWD:/work" unseen import folder pictures --attributes classes.csv -o mine
FROM debian:trixie-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        make gcc cmake ninja-build pkg-config dpkg-dev file python3 python3-cffi \
        libdnnl-dev libhdf5-dev libjansson-dev \
        zlib1g-dev libzip-dev libvips-dev libcairo2-dev libutf8proc-dev libmicrohttpd-dev \
        libcmocka-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make deb PACKAGES=

FROM debian:trixie-slim
COPY --from=build /src/build-deb/packages/unseen_*.deb /tmp/
RUN apt-get update \
    && apt-get install -y --no-install-recommends /tmp/unseen_*.deb fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/* /tmp/unseen_*.deb \
    && useradd --create-home --uid 1000 unseen
USER unseen
WORKDIR /work
ENTRYPOINT ["unseen"]
CMD ["--help"]
