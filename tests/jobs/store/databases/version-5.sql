BEGIN TRANSACTION;
CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO "counters" VALUES('events',1002);
CREATE TABLE events (
        id INTEGER NOT NULL,
        job TEXT NOT NULL,
        time FLOAT NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (id, job)
    ) WITHOUT ROWID
    ;
INSERT INTO "events" VALUES(1,'aaaaaaaa-0000-4000-8000-000000000001',1000.0,'job','{"id": "aaaaaaaa-0000-4000-8000-000000000001", "operation": "build", "target": "mock", "image_id": "image", "build_id": "build", "created": 5.0, "state": {"is": "completed", "identifier": "mock-1", "size": 12345}, "target_image_id": null, "provider": null, "provider_account_identifier": null, "template_id": null, "percent": 100, "activity": "", "stages": [], "started": null, "ended": null}');
INSERT INTO "events" VALUES(2,'aaaaaaaa-0000-4000-8000-000000000002',1002.0,'job','{"id": "aaaaaaaa-0000-4000-8000-000000000002", "operation": "build", "target": "mock", "image_id": "image", "build_id": "build", "created": 5.0, "state": {"is": "failed", "failure": {"message": "the mirror does not answer", "hint": "try again", "incident": "", "cancelled": false}}, "target_image_id": null, "provider": null, "provider_account_identifier": null, "template_id": null, "percent": 0, "activity": "", "stages": [], "started": null, "ended": null}');
CREATE TABLE jobs (
        position INTEGER NOT NULL PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        body TEXT NOT NULL,
        request TEXT DEFAULT '' NOT NULL
    , revision INTEGER DEFAULT '0' NOT NULL);
INSERT INTO "jobs" VALUES(1,'aaaaaaaa-0000-4000-8000-000000000001','1200:345600','{"id": "aaaaaaaa-0000-4000-8000-000000000001", "operation": "build", "target": "mock", "image_id": "image", "build_id": "build", "created": 5.0, "state": {"is": "completed", "identifier": "mock-1", "size": 12345}, "target_image_id": null, "provider": null, "provider_account_identifier": null, "template_id": null, "percent": 100, "activity": "", "stages": [], "started": null, "ended": null}','03df839c3319154375e1b2498041612d24f4c010e433837dce6722374b2512ac',1);
INSERT INTO "jobs" VALUES(2,'aaaaaaaa-0000-4000-8000-000000000002','1200:345600','{"id": "aaaaaaaa-0000-4000-8000-000000000002", "operation": "build", "target": "mock", "image_id": "image", "build_id": "build", "created": 5.0, "state": {"is": "failed", "failure": {"message": "the mirror does not answer", "hint": "try again", "incident": "", "cancelled": false}}, "target_image_id": null, "provider": null, "provider_account_identifier": null, "template_id": null, "percent": 0, "activity": "", "stages": [], "started": null, "ended": null}','03df839c3319154375e1b2498041612d24f4c010e433837dce6722374b2512ac',2);
INSERT INTO "jobs" VALUES(3,'aaaaaaaa-0000-4000-8000-000000000003','1300:345700:command','{"id": "aaaaaaaa-0000-4000-8000-000000000003", "operation": "build", "target": "mock", "image_id": "image", "build_id": "build", "created": 5.0, "state": {"is": "queued"}, "target_image_id": null, "provider": null, "provider_account_identifier": null, "template_id": null, "percent": 0, "activity": "", "stages": [], "started": null, "ended": null}','',3);
CREATE TABLE lines (
        job TEXT NOT NULL,
        number INTEGER NOT NULL,
        time FLOAT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (job, number)
    ) WITHOUT ROWID
    ;
INSERT INTO "lines" VALUES('aaaaaaaa-0000-4000-8000-000000000001',1,1000.5,'unpacking base-files');
INSERT INTO "lines" VALUES('aaaaaaaa-0000-4000-8000-000000000001',2,1001.0,'done');
CREATE TABLE quarantine (
        position INTEGER NOT NULL PRIMARY KEY,
        id TEXT NOT NULL,
        body TEXT,
        request TEXT,
        reason TEXT NOT NULL
    );
CREATE TABLE requests ("key" TEXT NOT NULL PRIMARY KEY, body TEXT NOT NULL);
INSERT INTO "requests" VALUES('03df839c3319154375e1b2498041612d24f4c010e433837dce6722374b2512ac','{"template": "<template/>", "siblings": []}');
CREATE TABLE resources (
        position INTEGER NOT NULL PRIMARY KEY,
        token TEXT NOT NULL UNIQUE,
        push TEXT NOT NULL,
        target TEXT NOT NULL,
        provider TEXT NOT NULL,
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        created FLOAT NOT NULL,
        state TEXT NOT NULL,
        identifier TEXT NOT NULL,
        note TEXT NOT NULL,
        holder TEXT NOT NULL
    );
CREATE INDEX events_of_job ON events (job, id);
CREATE INDEX jobs_by_revision ON jobs (revision);
COMMIT;
PRAGMA user_version = 5;
