# The image of the operator, with the command line beside it: rynxs-operator, rynxs.
#
#   docker build -t rynxs/operator:0.1.0 --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" .
#
# Base images are named by tag; NODE_DIGEST and ALPINE_DIGEST (sha256:…) pin them to their very bytes. What is built is
# JavaScript only, with nothing native of its own, so one build serves every platform that the base images have.

ARG NODE_TAG=20.20-alpine3.22
ARG NODE_DIGEST
ARG ALPINE_TAG=3.22
ARG ALPINE_DIGEST

FROM node:${NODE_TAG}${NODE_DIGEST:+@${NODE_DIGEST}} AS base

# What npm installs, before what changes often: layers are kept as long as these files are the same.
FROM base AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc tsconfig.json tsconfig.base.json ./
COPY packages/event-store/package.json packages/event-store/tsconfig.json packages/event-store/
COPY packages/operator/package.json packages/operator/tsconfig.json packages/operator/
COPY packages/cli/package.json packages/cli/tsconfig.json packages/cli/
RUN npm ci --ignore-scripts
COPY scripts/bundle.mjs scripts/
COPY packages/event-store/src packages/event-store/src
COPY packages/operator/src packages/operator/src
COPY packages/cli/src packages/cli/src
RUN npm run build

# What runs: the packages' builds and what they depend on, without sources, types and tools.
FROM base AS production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/event-store/package.json packages/event-store/
COPY packages/operator/package.json packages/operator/
COPY packages/operator/bin packages/operator/bin
COPY packages/cli/package.json packages/cli/
COPY packages/cli/bin packages/cli/bin
RUN npm ci --omit=dev --ignore-scripts \
    && mkdir empty
COPY --from=build /build/packages/event-store/build packages/event-store/build
COPY --from=build /build/packages/operator/build packages/operator/build
COPY --from=build /build/packages/cli/build packages/cli/build

# Alpine and the node program alone: no npm, no yarn, no compiler.
FROM alpine:${ALPINE_TAG}${ALPINE_DIGEST:+@${ALPINE_DIGEST}}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="rynxs-operator" \
      org.opencontainers.image.description="Records what happens to Kubernetes resources in a tamper-evident event log" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=base /usr/local/bin/node /usr/local/bin/node
COPY --from=base /usr/lib/libstdc++.so.6 /usr/lib/libgcc_s.so.1 /usr/lib/
COPY --from=production /app/node_modules /app/node_modules
COPY --from=production /app/packages /app/packages
# The log file's folder, where no volume is mounted.
COPY --from=production --chown=1000:1000 /app/empty /var/log/rynxs
ENV NODE_ENV=production \
    PATH=/app/node_modules/.bin:/usr/local/bin:/usr/bin:/bin
WORKDIR /app
# By number, so that Kubernetes can see that it is not root. Nothing under /app can be written.
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["rynxs-operator", "healthcheck"]
ENTRYPOINT ["rynxs-operator"]
