#!/bin/sh
# Gives Millrace a database and a role that owns it and nothing else, with the password of this day. It runs in the service `database`, at each `up`.
set -eu
PGPASSWORD=$(cat /run/secrets/superuser)
export PGPASSWORD PGHOST=postgres PGUSER=postgres PGDATABASE=postgres
psql --quiet --set ON_ERROR_STOP=1 --set password="$(cat /run/secrets/millrace)" << 'SQL'
SELECT 'CREATE ROLE millrace LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'millrace') \gexec
ALTER ROLE millrace PASSWORD :'password';
SELECT 'CREATE DATABASE millrace OWNER millrace' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'millrace') \gexec
REVOKE CONNECT, TEMPORARY ON DATABASE millrace FROM PUBLIC;
SQL
