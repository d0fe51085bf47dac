-- Revoked keys stay: an installation with keys never becomes one without.
CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL,
    name TEXT NOT NULL,
    tenant TEXT NOT NULL,
    roles INTEGER NOT NULL,
    requests INTEGER,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX api_keys_changed ON api_keys (revision);

CREATE TABLE audit (
    id BLOB NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    tenant TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    outcome INTEGER NOT NULL,
    detail TEXT NOT NULL,
    request_id TEXT
) WITHOUT ROWID;

-- A subject's present window; starts and ends are seconds since 1970.
CREATE TABLE rate_windows (
    subject TEXT NOT NULL PRIMARY KEY,
    starts INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX rate_windows_age ON rate_windows (ends);
