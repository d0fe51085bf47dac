-- Times are microseconds since 1970, UTC. States: 0 queued, 1 running, 2 succeeded, 3 failed, 4 canceled, 5 expired.
-- jobs is narrow and hot; what is large or rare lies in tables of its own.
CREATE TABLE jobs (
    id BLOB NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    state INTEGER NOT NULL,
    version INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    model TEXT NOT NULL,
    model_version TEXT NOT NULL,
    priority INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    available_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    timeout INTEGER NOT NULL,
    result_ttl INTEGER NOT NULL,
    not_before INTEGER,
    dispatched_at INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    lease_until INTEGER,
    result_expires_at INTEGER,
    purge_at INTEGER,
    worker TEXT,
    alone INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    fingerprint TEXT,
    metadata TEXT,
    replay_of BLOB,
    traceparent TEXT,
    tracestate TEXT
) WITHOUT ROWID;

CREATE INDEX jobs_dispatched ON jobs (model, tenant, priority, created_at, id) WHERE state = 0 AND dispatched_at IS NOT NULL;
CREATE INDEX jobs_waiting ON jobs (model, tenant, priority, created_at, id) WHERE state = 0 AND dispatched_at IS NULL;
CREATE INDEX jobs_due ON jobs (available_at, model) WHERE state = 0 AND dispatched_at IS NULL;
CREATE INDEX jobs_running ON jobs (lease_until) WHERE state = 1;
CREATE INDEX jobs_expiry ON jobs (expires_at) WHERE state = 0;
CREATE INDEX jobs_purge ON jobs (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX jobs_listed ON jobs (tenant, created_at, id);

CREATE TABLE job_inputs (job_id BLOB NOT NULL PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE job_results (job_id BLOB NOT NULL PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;

-- Charged attempts that another one followed; the last of a job is on its row.
CREATE TABLE job_attempts (
    job_id BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    worker TEXT,
    error TEXT,
    PRIMARY KEY (job_id, attempt)
) WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    tenant TEXT NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    job_id BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, scope, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE workers (id TEXT NOT NULL PRIMARY KEY, seen_at INTEGER NOT NULL, gone INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE worker_models (
    worker TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    announcement TEXT NOT NULL,
    PRIMARY KEY (worker, name, version)
) WITHOUT ROWID;

CREATE TABLE secrets (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
