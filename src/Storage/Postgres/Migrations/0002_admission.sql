-- Revoked keys stay: an installation with keys never becomes one without.
CREATE TABLE api_keys (
    id text NOT NULL PRIMARY KEY,
    hash bytea NOT NULL,
    name text NOT NULL,
    tenant text NOT NULL,
    roles smallint NOT NULL,
    requests integer,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    revision bigint NOT NULL
);
CREATE UNIQUE INDEX api_keys_changed ON api_keys (revision);

-- One row, locked by each change of a key: so revisions are committed in their order, and no reader misses one.
CREATE TABLE api_key_revision (last bigint NOT NULL);
INSERT INTO api_key_revision (last) VALUES (0);

CREATE TABLE audit (
    id uuid NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    tenant text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    outcome smallint NOT NULL,
    detail text NOT NULL,
    request_id text
);

-- A subject's present window; starts is seconds since 1970.
CREATE TABLE rate_windows (
    subject text NOT NULL PRIMARY KEY,
    starts bigint NOT NULL,
    ends bigint NOT NULL,
    used integer NOT NULL,
    granted integer NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX rate_windows_age ON rate_windows (ends);
