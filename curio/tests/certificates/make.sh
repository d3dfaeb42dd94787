#!/bin/sh
# How the certificates here were made. They are for tests: everybody has the keys. Not needed but to make them anew.
#
#   ca.pem       who vouches for the others
#   server.pem   for localhost, 127.0.0.1 and ::1, with server.key
#   expired.pem  the same, but it was valid in 2020 only
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt; }

key > "$work/ca.key"
openssl req -x509 -new -key "$work/ca.key" -subj "/CN=curio tests" -days 36500 -out ca.pem \
    -addext keyUsage=critical,keyCertSign
key > server.key

cat > "$work/ca.conf" <<END
[ca]
default_ca = tests
[tests]
database = $work/index
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = none
x509_extensions = server
unique_subject = no
[any]
commonName = supplied
[server]
basicConstraints = critical,CA:FALSE
subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1
extendedKeyUsage = serverAuth,clientAuth
authorityKeyIdentifier = keyid
END
: > "$work/index"

# name, from, to
sign() {
    openssl req -new -key server.key -subj "/CN=localhost" -out "$work/$1.csr"
    openssl ca -batch -notext -config "$work/ca.conf" -keyfile "$work/ca.key" -cert ca.pem -outdir "$work" \
        -startdate "$2" -enddate "$3" -in "$work/$1.csr" -out "$1.pem" 2> /dev/null
}
sign server 20260101000000Z 21251231000000Z
sign expired 20200101000000Z 20201231000000Z
