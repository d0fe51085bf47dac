-- States: 0 queued, 1 running, 2 succeeded, 3 failed, 4 canceled, 5 expired.
-- jobs is narrow and hot; what is large or rare lies in tables of its own.

-- The one clock of all processes. A function, so that a test can put another in its place.
CREATE FUNCTION store_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()';

CREATE TABLE jobs (
    id uuid NOT NULL PRIMARY KEY,
    tenant text NOT NULL,
    state smallint NOT NULL,
    version bigint NOT NULL,
    fence bigint NOT NULL,
    model text NOT NULL,
    model_version text NOT NULL,
    version_named boolean NOT NULL DEFAULT false,
    priority smallint NOT NULL,
    attempt smallint NOT NULL,
    max_attempts smallint NOT NULL,
    created_at timestamptz NOT NULL,
    available_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    timeout interval NOT NULL,
    result_ttl interval NOT NULL,
    not_before timestamptz,
    dispatched_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    lease_until timestamptz,
    result_expires_at timestamptz,
    purge_at timestamptz,
    worker text,
    alone boolean NOT NULL DEFAULT false,
    error text,
    fingerprint text,
    metadata jsonb,
    replay_of uuid,
    traceparent text,
    tracestate text
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX jobs_dispatched ON jobs (model, tenant, priority, created_at, id) WHERE state = 0 AND dispatched_at IS NOT NULL;
CREATE INDEX jobs_waiting ON jobs (model, tenant, priority, created_at, id) WHERE state = 0 AND dispatched_at IS NULL;
CREATE INDEX jobs_due ON jobs (model, available_at) WHERE state = 0 AND dispatched_at IS NULL;
CREATE INDEX jobs_running ON jobs (lease_until) WHERE state = 1;
CREATE INDEX jobs_expiry ON jobs (expires_at) WHERE state = 0;
CREATE INDEX jobs_purge ON jobs (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX jobs_listed ON jobs (tenant, created_at, id);
CREATE INDEX jobs_failed ON jobs (tenant, fingerprint, finished_at) WHERE state = 3;
CREATE INDEX jobs_replayed ON jobs (replay_of) WHERE replay_of IS NOT NULL;

-- Tensors hardly compress, and the processor is needed for other things.
CREATE TABLE job_inputs (job_id uuid NOT NULL PRIMARY KEY, body bytea NOT NULL);
CREATE TABLE job_results (job_id uuid NOT NULL PRIMARY KEY, body bytea NOT NULL);
ALTER TABLE job_inputs ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE job_results ALTER COLUMN body SET STORAGE EXTERNAL;

-- Charged attempts that another one followed; the last of a job is on its row.
CREATE TABLE job_attempts (
    job_id uuid NOT NULL,
    attempt smallint NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    worker text,
    error text,
    PRIMARY KEY (job_id, attempt)
);

CREATE TABLE idempotency_keys (
    tenant text NOT NULL,
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    job_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, scope, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE workers (id text NOT NULL PRIMARY KEY, seen_at timestamptz NOT NULL, gone boolean NOT NULL DEFAULT false);
CREATE TABLE worker_models (
    worker text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    announcement text NOT NULL,
    PRIMARY KEY (worker, name, version)
);

CREATE TABLE secrets (name text NOT NULL PRIMARY KEY, value bytea NOT NULL);

-- Models of which nothing is dispatched or claimed.
CREATE TABLE paused_models (model text NOT NULL PRIMARY KEY);

-- Bulk replays. An item: 0 to be made, 1 made, 2 skipped, 3 failed.
CREATE TABLE replays (
    id uuid NOT NULL PRIMARY KEY,
    tenant text NOT NULL,
    state smallint NOT NULL,
    rate double precision,
    settings text NOT NULL,
    created_at timestamptz NOT NULL,
    paced_at timestamptz,
    finished_at timestamptz
);
CREATE INDEX replays_running ON replays (created_at) WHERE state = 0;
CREATE TABLE replay_items (
    replay_id uuid NOT NULL,
    source uuid NOT NULL,
    state smallint NOT NULL DEFAULT 0,
    job_id uuid,
    PRIMARY KEY (replay_id, source)
);
CREATE INDEX replay_items_left ON replay_items (replay_id, source) WHERE state = 0;

CREATE TABLE dead_letters (
    id uuid NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL,
    queue text NOT NULL,
    reason text NOT NULL,
    job_id uuid,
    bytes bigint NOT NULL,
    body bytea NOT NULL
);
CREATE INDEX dead_letters_age ON dead_letters (at);
