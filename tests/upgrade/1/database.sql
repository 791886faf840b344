-- A database of schema 1, as this release leaves it: a stopped container, a running one, one whose create
-- came to no end with its operation, and a template. user_version is set by who opens it.
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
INSERT INTO template VALUES ('debian-12', 'sha256:abababababababababababababababababababababababababababababababab', 120000000, '/sbin/init', 'SIGRTMIN+3', 'ssh', 'mmdebstrap bookworm', 1763700000);
INSERT INTO container VALUES ('0123e456-89ab-4def-8123-456789abcdef', 'web1', 'debian-12', 'sha256:abababababababababababababababababababababababababababababababab', 'web1.example.org', 3221225472, 536870912, 1500, 300, 'luks2', 'private', 1073807360, '02:01:23:e4:56:89', x'00112233', 1, 'stopped', NULL, NULL, 'halt', '', 1763710000, 1763710100, '6f3d5a2e-0000-4000-8000-000000000001');
INSERT INTO container VALUES ('11111111-2222-4333-8444-555555555555', 'web2', 'debian-12', 'sha256:abababababababababababababababababababababababababababababababab', 'web2', 2147483648, NULL, NULL, NULL, 'fscrypt', 'shared', 1073872896, '02:11:11:11:11:11', x'44556677', 1, 'running', 4711, 123456, '', '', 1763720000, 1763720100, '6f3d5a2e-0000-4000-8000-000000000001');
INSERT INTO container VALUES ('99999999-8888-4777-8666-555555555555', 'web3', 'debian-12', 'sha256:abababababababababababababababababababababababababababababababab', 'web3', 2147483648, NULL, NULL, NULL, 'none', 'shared', 1073938432, '02:99:99:99:99:88', x'8899aabb', 0, 'stopped', NULL, NULL, '', '', 1763730000, 0, '');
INSERT INTO address VALUES ('10.77.0.2', 16, '0123e456-89ab-4def-8123-456789abcdef');
INSERT INTO address VALUES ('fd4c:6f64:6765::2', 64, '0123e456-89ab-4def-8123-456789abcdef');
INSERT INTO address VALUES ('10.77.0.3', 16, '11111111-2222-4333-8444-555555555555');
INSERT INTO operation VALUES ('22222222-3333-4444-8555-666666666666', 'create', 'web3', '99999999-8888-4777-8666-555555555555', '6f3d5a2e-0000-4000-8000-000000000001');
INSERT INTO step (operation, name) VALUES ('22222222-3333-4444-8555-666666666666', 'reserve');
INSERT INTO step (operation, name) VALUES ('22222222-3333-4444-8555-666666666666', 'directory');
