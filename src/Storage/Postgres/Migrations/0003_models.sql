-- The last wish for each model.
CREATE TABLE model_wishes (
    model text NOT NULL PRIMARY KEY,
    loaded boolean NOT NULL,
    revision bigint NOT NULL
);

-- One row, locked by each wish: so revisions are committed in their order, and no reader misses one.
CREATE TABLE model_wish_revision (last bigint NOT NULL);
INSERT INTO model_wish_revision (last) VALUES (0);

CREATE TABLE worker_statistics (
    worker text NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL,
    statistics text NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX worker_statistics_age ON worker_statistics (at);

-- Versions that get none of the calls that name no version.
CREATE TABLE held_back (
    model text NOT NULL,
    version text NOT NULL,
    hash text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (model, version)
);
