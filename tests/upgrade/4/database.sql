-- A database of schema 4, as `sqlite3 .dump` shows it: the containers of schema 2 with the reason of a failure. user_version
-- is set by who opens it.
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
, onboot TEXT NOT NULL DEFAULT 'auto', boot_order INTEGER NOT NULL DEFAULT 0, boot_delay INTEGER NOT NULL DEFAULT 0, restart TEXT NOT NULL DEFAULT 'no', restart_limit INTEGER NOT NULL DEFAULT 0, restart_backoff INTEGER NOT NULL DEFAULT 1, start_at INTEGER, resume INTEGER NOT NULL DEFAULT 0, restarts INTEGER NOT NULL DEFAULT 0, last_error TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO "container" VALUES('0123e456-89ab-4def-8123-456789abcdef','web1','debian-12','sha256:abababababababababababababababababababababababababababababababab','web1.example.org',3221225472,536870912,1500,300,'luks2','private',1073807360,'02:01:23:e4:56:89',X'00112233',1,'stopped',NULL,NULL,'exit 1','',1763710000,1763710100,'6f3d5a2e-0000-4000-8000-000000000001','yes',7,30,'on-failure',5,2,900000,0,3,'');
INSERT INTO "container" VALUES('11111111-2222-4333-8444-555555555555','web2','debian-12','sha256:abababababababababababababababababababababababababababababababab','web2',2147483648,268435456,NULL,NULL,'fscrypt','shared',1073872896,'02:11:11:11:11:11',X'44556677',1,'running',4711,123456,'','',1763720000,1763720100,'6f3d5a2e-0000-4000-8000-000000000001','no',0,0,'no',0,1,NULL,1,0,'web2: init ended with 1');
CREATE TABLE address (
    address   TEXT PRIMARY KEY,
    prefix    INTEGER NOT NULL,
    container TEXT NOT NULL REFERENCES container(uuid) ON DELETE CASCADE
) STRICT;
INSERT INTO "address" VALUES('10.77.0.2',16,'0123e456-89ab-4def-8123-456789abcdef');
INSERT INTO "address" VALUES('10.77.0.3',16,'11111111-2222-4333-8444-555555555555');
CREATE TABLE host (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    boot_id TEXT NOT NULL
) STRICT;
INSERT INTO "host" VALUES(1,'6f3d5a2e-0000-4000-8000-000000000001');
CREATE TABLE operation (
    id        TEXT PRIMARY KEY,
    verb      TEXT NOT NULL,
    resource  TEXT NOT NULL,
    arguments TEXT NOT NULL,
    boot_id   TEXT NOT NULL
) STRICT;
INSERT INTO "operation" VALUES('22222222-3333-4444-8555-666666666666','stop','web2','11111111-2222-4333-8444-555555555555 60000','6f3d5a2e-0000-4000-8000-000000000001');
CREATE TABLE step (
    operation TEXT NOT NULL REFERENCES operation(id) ON DELETE CASCADE,
    sequence  INTEGER PRIMARY KEY,
    name      TEXT NOT NULL
) STRICT;
INSERT INTO "step" VALUES('22222222-3333-4444-8555-666666666666',1,'halt');
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
INSERT INTO "template" VALUES('debian-12','sha256:abababababababababababababababababababababababababababababababab',120000000,'/sbin/init','SIGRTMIN+3','ssh','mmdebstrap bookworm',1763700000);
CREATE INDEX address_container ON address(container);
CREATE INDEX step_operation ON step(operation);
CREATE INDEX container_start_at ON container(start_at) WHERE start_at IS NOT NULL;
CREATE INDEX container_template ON container(template_digest);
