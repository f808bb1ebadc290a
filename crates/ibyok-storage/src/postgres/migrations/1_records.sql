-- Ids are bytes, because text is ordered by a locale. Sealed bytes do not compress.
CREATE TABLE records (
    kind smallint NOT NULL CHECK (kind BETWEEN 0 AND 255),
    realm bytea NOT NULL CHECK (octet_length(realm) = 8),
    id bytea NOT NULL CHECK (octet_length(id) = 16),
    revision bigint NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (kind, realm, id)
);
ALTER TABLE records ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- Revisions need only differ, so a sequence will do, and writes of quiet kinds wait for nobody.
CREATE SEQUENCE revisions;

CREATE TABLE changes (
    number bigint PRIMARY KEY,
    kind smallint NOT NULL,
    realm bytea NOT NULL,
    id bytea NOT NULL
);

-- One row. Whoever changes a record holds its lock until the commit, so the numbers are in the order of the commits; of a sequence
-- they would not be. `forgotten` is the newest change that is no longer in the feed. `history` is the server's: see history.rs.
CREATE TABLE counters (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    change bigint NOT NULL,
    forgotten bigint NOT NULL,
    history text NOT NULL
) WITH (fillfactor = 10);
INSERT INTO counters (change, forgotten, history) VALUES (0, 0, '');
