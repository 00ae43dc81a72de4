# One image with every program. Which one runs is the command's choice:
#
#   docker build --build-arg VERSION="$(git describe --tags --always)" -t postrider .
#   docker run -e POSTRIDER_DATABASE_URL=… postrider /producer

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
# Dependencies change less often than code: a layer of their own.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
RUN mkdir /out && CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/ \
    ./cmd/producer ./cmd/consumer ./cmd/postrider

# Nothing but the programs and the certificate authorities; no shell, no rights.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/ /
USER 65532:65532
EXPOSE 8080 9090 9091
CMD ["/postrider", "serve"]
