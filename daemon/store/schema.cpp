#include "daemon/store/store.hpp"

#include <array>

namespace lodge::daemon {

namespace {

// Append only: never change a released migration.
constexpr std::array<const char*, 7> kMigrations{
    R"sql(
CREATE TABLE container (
    uuid            TEXT PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    template_name   TEXT NOT NULL,
    template_digest TEXT NOT NULL,
    hostname        TEXT NOT NULL,
    disk_bytes      INTEGER NOT NULL,
    memory_bytes    INTEGER,
    cpu_millis      INTEGER,
    pids            INTEGER,
    encryption      TEXT NOT NULL,
    rootfs          TEXT NOT NULL,
    uid_base        INTEGER NOT NULL UNIQUE,
    mac_address     TEXT NOT NULL,
    sealed_key      BLOB NOT NULL,
    published       INTEGER NOT NULL DEFAULT 0,
    state           TEXT NOT NULL,
    init_pid        INTEGER,
    init_start_time INTEGER,
    last_exit       TEXT NOT NULL DEFAULT '',
    broken_why      TEXT NOT NULL DEFAULT '',
    created_at      INTEGER NOT NULL,
    started_at      INTEGER NOT NULL DEFAULT 0,
    boot_id         TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE address (
    address   TEXT PRIMARY KEY,
    prefix    INTEGER NOT NULL,
    container TEXT NOT NULL REFERENCES container(uuid) ON DELETE CASCADE
) STRICT;
CREATE TABLE template (
    name        TEXT PRIMARY KEY,
    digest      TEXT NOT NULL,
    bytes       INTEGER NOT NULL,
    init        TEXT NOT NULL,
    halt_signal TEXT NOT NULL,
    ready       TEXT NOT NULL,
    source      TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE TABLE operation (
    id        TEXT PRIMARY KEY,
    verb      TEXT NOT NULL,
    resource  TEXT NOT NULL,
    arguments TEXT NOT NULL,
    boot_id   TEXT NOT NULL
) STRICT;
CREATE TABLE step (
    operation TEXT NOT NULL REFERENCES operation(id) ON DELETE CASCADE,
    sequence  INTEGER PRIMARY KEY,
    name      TEXT NOT NULL
) STRICT;
)sql",
    R"sql(
ALTER TABLE container ADD COLUMN onboot TEXT NOT NULL DEFAULT 'auto';
ALTER TABLE container ADD COLUMN boot_order INTEGER NOT NULL DEFAULT 0;
ALTER TABLE container ADD COLUMN boot_delay INTEGER NOT NULL DEFAULT 0;
ALTER TABLE container ADD COLUMN restart TEXT NOT NULL DEFAULT 'no';
ALTER TABLE container ADD COLUMN restart_limit INTEGER NOT NULL DEFAULT 0;
ALTER TABLE container ADD COLUMN restart_backoff INTEGER NOT NULL DEFAULT 1;
ALTER TABLE container ADD COLUMN start_at INTEGER;
ALTER TABLE container ADD COLUMN resume INTEGER NOT NULL DEFAULT 0;
ALTER TABLE container ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;
CREATE TABLE host (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    boot_id TEXT NOT NULL
) STRICT;
)sql",
    R"sql(
ALTER TABLE container ADD COLUMN last_error TEXT NOT NULL DEFAULT '';
)sql",
    // Indexes, so that the cost of queries for one container, and of those at each event, does not
    // grow with the number of containers.
    R"sql(
CREATE INDEX address_container ON address(container);
CREATE INDEX step_operation ON step(operation);
CREATE INDEX container_start_at ON container(start_at) WHERE start_at IS NOT NULL;
CREATE INDEX container_template ON container(template_digest);
)sql",
    // The specification as one document, beside the columns that queries use. json_patch() leaves
    // out NULL values (RFC 7396).
    R"sql(
ALTER TABLE container ADD COLUMN spec TEXT NOT NULL DEFAULT '{}';
UPDATE container SET spec = json_patch('{}', json_object(
    'hostname', hostname, 'disk_bytes', disk_bytes,
    'memory_bytes', memory_bytes, 'cpu_millis', cpu_millis, 'pids', pids,
    'encryption', encryption, 'rootfs', rootfs, 'onboot', onboot, 'bootorder', boot_order,
    'boot_delay_seconds', boot_delay, 'restart', restart, 'restart_limit', restart_limit,
    'restart_backoff_seconds', restart_backoff));
ALTER TABLE container DROP COLUMN hostname;
ALTER TABLE container DROP COLUMN disk_bytes;
ALTER TABLE container DROP COLUMN memory_bytes;
ALTER TABLE container DROP COLUMN cpu_millis;
ALTER TABLE container DROP COLUMN pids;
ALTER TABLE container DROP COLUMN encryption;
ALTER TABLE container DROP COLUMN rootfs;
ALTER TABLE container DROP COLUMN onboot;
ALTER TABLE container DROP COLUMN boot_order;
ALTER TABLE container DROP COLUMN boot_delay;
ALTER TABLE container DROP COLUMN restart;
ALTER TABLE container DROP COLUMN restart_limit;
ALTER TABLE container DROP COLUMN restart_backoff;
)sql",
    R"sql(
ALTER TABLE step ADD COLUMN object TEXT NOT NULL DEFAULT '';
)sql",
    // Volumes and cards as rows of their own. The volumes and cards of earlier releases keep the
    // container's UUID, because the names of the objects of running containers come from it.
    R"sql(
CREATE TABLE volume (
    uuid       TEXT PRIMARY KEY,
    container  TEXT NOT NULL REFERENCES container(uuid) ON DELETE CASCADE,
    slot       INTEGER NOT NULL,
    sealed_key BLOB NOT NULL,
    UNIQUE (container, slot)
) STRICT;
INSERT INTO volume SELECT uuid, uuid, 0, sealed_key FROM container;
ALTER TABLE container DROP COLUMN sealed_key;
CREATE TABLE card (
    uuid        TEXT PRIMARY KEY,
    container   TEXT NOT NULL REFERENCES container(uuid) ON DELETE CASCADE,
    slot        INTEGER NOT NULL,
    mac_address TEXT NOT NULL,
    UNIQUE (container, slot)
) STRICT;
INSERT INTO card SELECT uuid, uuid, 0, mac_address FROM container;
ALTER TABLE container DROP COLUMN mac_address;
ALTER TABLE address RENAME TO address_of_container;
CREATE TABLE address (
    address TEXT PRIMARY KEY,
    prefix  INTEGER NOT NULL,
    card    TEXT NOT NULL REFERENCES card(uuid) ON DELETE CASCADE
) STRICT;
INSERT INTO address SELECT address, prefix, container FROM address_of_container;
DROP TABLE address_of_container;
CREATE INDEX address_card ON address(card);
UPDATE step SET object = 'eth0' WHERE name IN ('admit', 'attach', 'expel', 'detach');
UPDATE step SET object = 'root' WHERE name IN ('volume', 'open', 'close volume', 'erase');
)sql",
};

} // namespace

Result<std::unique_ptr<db::Database>> open_store(const std::string& path,
                                                 const db::BeforeMigration& before) {
    return db::open_database(path, kMigrations, before);
}

} // namespace lodge::daemon
