ALTER TABLE jobs ADD COLUMN version_named INTEGER NOT NULL DEFAULT 0;
CREATE INDEX jobs_failed ON jobs (tenant, fingerprint, finished_at) WHERE state = 3;
CREATE INDEX jobs_replayed ON jobs (replay_of) WHERE replay_of IS NOT NULL;

-- Models of which nothing is dispatched or claimed.
CREATE TABLE paused_models (model TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;

-- Bulk replays. An item: 0 to be made, 1 made, 2 skipped, 3 failed.
CREATE TABLE replays (
    id BLOB NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    state INTEGER NOT NULL,
    rate REAL,
    settings TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    paced_at INTEGER,
    finished_at INTEGER
) WITHOUT ROWID;
CREATE INDEX replays_running ON replays (created_at) WHERE state = 0;
CREATE TABLE replay_items (
    replay_id BLOB NOT NULL,
    source BLOB NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    job_id BLOB,
    PRIMARY KEY (replay_id, source)
) WITHOUT ROWID;

CREATE TABLE dead_letters (
    id BLOB NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    queue TEXT NOT NULL,
    reason TEXT NOT NULL,
    job_id BLOB,
    bytes INTEGER NOT NULL,
    body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX dead_letters_age ON dead_letters (at);
