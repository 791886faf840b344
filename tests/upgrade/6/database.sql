-- A database of schema 6, as `sqlite3 .dump` shows it: the specification as one document, steps with their object, wrapped
-- keys that the key of 1/master_key.hex opens. user_version is set by who opens it.
CREATE TABLE container (
    uuid            TEXT PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    template_name   TEXT NOT NULL,
    template_digest TEXT NOT NULL,
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
, start_at INTEGER, resume INTEGER NOT NULL DEFAULT 0, restarts INTEGER NOT NULL DEFAULT 0, last_error TEXT NOT NULL DEFAULT '', spec TEXT NOT NULL DEFAULT '{}') STRICT;
INSERT INTO container VALUES('0123e456-89ab-4def-8123-456789abcdef','web1','debian-12','sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1073807360,'02:01:23:e4:56:89',X'302f31e2bd8cc03d619367f20226273c5db47b30c8e3767a584ab19e051f7518a2bcf6bc362917d27f40ee60ad3d23659a24451ec10fc5f968bfee6196d9f7dd543adb49217983ec52b6b857322ee3334615869c6510eee4f158076c782f5c465031fff73674f9db',1,'stopped',NULL,NULL,'','',1763710000,0,'',NULL,0,0,'','{"boot_delay_seconds":0,"bootorder":0,"cpu_millis":1500,"description":"the shop","disk_bytes":3221225472,"encryption":"luks2","hostname":"web1.example.org","labels":{"tier":"front"},"memory_bytes":536870912,"onboot":"auto","pids":300,"restart":"no","restart_backoff_seconds":1,"restart_limit":0,"rootfs":"private"}');
INSERT INTO container VALUES('11111111-2222-4333-8444-555555555555','web2','debian-12','sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1073872896,'02:11:11:11:22:22',X'740ca15a5666e219ee49378a844789558946e821007a5d695282d4951ce676dac493d121745aa5d2740dad9f12b333538b433bf33f649083d1bc6ffc1a6589c100afe3e938fed8ed233096493664d694ac788006c7922750552f70f1ef87bc84ffd950b558df7ffc',1,'running',4711,123456,'','',1763710000,1763710100,'6f3d5a2e-0000-4000-8000-000000000001',NULL,0,0,'web2: init ended with 1','{"boot_delay_seconds":0,"bootorder":0,"cpu_millis":1500,"description":"the shop","disk_bytes":3221225472,"encryption":"fscrypt","hostname":"web1.example.org","labels":{"tier":"front"},"memory_bytes":536870912,"onboot":"auto","pids":300,"restart":"no","restart_backoff_seconds":1,"restart_limit":0,"rootfs":"private"}');
CREATE TABLE address (
    address   TEXT PRIMARY KEY,
    prefix    INTEGER NOT NULL,
    container TEXT NOT NULL REFERENCES container(uuid) ON DELETE CASCADE
) STRICT;
INSERT INTO address VALUES('10.77.0.2',16,'0123e456-89ab-4def-8123-456789abcdef');
INSERT INTO address VALUES('fd4c:6f64:6765::2',64,'0123e456-89ab-4def-8123-456789abcdef');
INSERT INTO address VALUES('10.77.0.3',16,'11111111-2222-4333-8444-555555555555');
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
INSERT INTO template VALUES('debian-12','sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',120000000,'/sbin/init','SIGRTMIN+3','ssh','mmdebstrap bookworm',1763700000);
CREATE TABLE operation (
    id        TEXT PRIMARY KEY,
    verb      TEXT NOT NULL,
    resource  TEXT NOT NULL,
    arguments TEXT NOT NULL,
    boot_id   TEXT NOT NULL
) STRICT;
INSERT INTO operation VALUES('99999999-8888-4777-8666-555555555555','stop','web2','web2','6f3d5a2e-0000-4000-8000-000000000001');
CREATE TABLE step (
    operation TEXT NOT NULL REFERENCES operation(id) ON DELETE CASCADE,
    sequence  INTEGER PRIMARY KEY,
    name      TEXT NOT NULL
, object TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO step VALUES('99999999-8888-4777-8666-555555555555',1,'halt','');
CREATE TABLE host (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    boot_id TEXT NOT NULL
) STRICT;
CREATE INDEX address_container ON address(container);
CREATE INDEX step_operation ON step(operation);
CREATE INDEX container_start_at ON container(start_at) WHERE start_at IS NOT NULL;
CREATE INDEX container_template ON container(template_digest);
