#!/bin/sh
# Makes what docker-compose.yml needs to keep secret, at random, once: what is there already stays. It runs in the service `secrets`, as root, in an
# image that has a shell; each folder below /secrets is a volume that only its own services see, as /run/secrets.
#   secrets.sh [rotate]    rotate: new passwords for the database and the broker
set -eu
umask 077

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

write() { # write FILE: standard input, complete or not at all
    cat > "$1.new"
    chmod 444 "$1.new" # each program runs as a user of its own; who does not have the volume, does not see the file
    mv "$1.new" "$1"
}

value() { # value FILE: what is in it, made when missing
    [ -s "$1" ] || random | write "$1"
    cat "$1"
}

[ "${1:-}" != rotate ] || rm -f /secrets/postgres/millrace /secrets/rabbitmq/millrace /secrets/rabbitmq/operator
chmod 755 /secrets/*
value /secrets/postgres/superuser > /dev/null
value /secrets/grafana/password > /dev/null
store=$(value /secrets/postgres/millrace)
broker=$(value /secrets/rabbitmq/millrace)
operator=$(value /secrets/rabbitmq/operator)
printf 'postgres://millrace:%s@postgres:5432/millrace' "$store" | write /secrets/millrace/MILLRACE__STORE__URL
printf 'amqp://millrace:%s@rabbitmq:5672/millrace' "$broker" | write /secrets/millrace/MILLRACE__BROKER__URL
chmod 400 /secrets/millrace/*
chown 1654:1654 /secrets/millrace/* # the user of our images

# The broker's accounts, which it takes over at each start. `millrace` has what docs/operating.md names and no more; `operator` is for people.
write /secrets/rabbitmq/definitions.json << JSON
{
  "vhosts": [{"name": "millrace"}],
  "users": [
    {"name": "millrace", "password": "$broker", "tags": ""},
    {"name": "operator", "password": "$operator", "tags": "administrator"}
  ],
  "permissions": [
    {"user": "millrace", "vhost": "millrace", "configure": "^((jobs|infer|dead|events)|amq\\\\.gen).*", "write": "^((jobs|infer|dead|events)|amq\\\\.(gen|default)).*",
      "read": "^((jobs|infer|dead|events)|amq\\\\.gen).*"},
    {"user": "operator", "vhost": "millrace", "configure": ".*", "write": ".*", "read": ".*"}
  ]
}
JSON
