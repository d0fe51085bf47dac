-- The last wish for each model. Rows stay, so the largest revision is the last one given.
CREATE TABLE model_wishes (
    model TEXT NOT NULL PRIMARY KEY,
    loaded INTEGER NOT NULL,
    revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX model_wishes_order ON model_wishes (revision);

CREATE TABLE worker_statistics (
    worker TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    statistics TEXT NOT NULL
);
CREATE INDEX worker_statistics_age ON worker_statistics (at);

-- Versions that get none of the calls that name no version.
CREATE TABLE held_back (
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    hash TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (model, version)
) WITHOUT ROWID;
