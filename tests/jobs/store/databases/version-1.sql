BEGIN TRANSACTION;
CREATE TABLE events (
	id INTEGER NOT NULL, 
	job TEXT NOT NULL, 
	time FLOAT NOT NULL, 
	kind TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id, job)
)
 WITHOUT ROWID

;
INSERT INTO "events" VALUES(1,'aaaaaaaa-0000-4000-8000-000000000001',1000.0,'job','{"id": "aaaaaaaa-0000-4000-8000-000000000001", "operation": "build", "target": "mock", "image_id": "image", "build_id": "build", "created": 5.0, "state": {"is": "completed", "identifier": "mock-1", "size": 12345}, "target_image_id": null, "provider": null, "provider_account_identifier": null, "template_id": null, "percent": 100, "activity": "", "stages": [], "started": null, "ended": null}');
INSERT INTO "events" VALUES(2,'aaaaaaaa-0000-4000-8000-000000000002',1002.0,'job','{"id": "aaaaaaaa-0000-4000-8000-000000000002", "operation": "build", "target": "mock", "image_id": "image", "build_id": "build", "created": 5.0, "state": {"is": "failed", "failure": {"message": "the mirror does not answer", "hint": "try again", "incident": "", "cancelled": false}}, "target_image_id": null, "provider": null, "provider_account_identifier": null, "template_id": null, "percent": 0, "activity": "", "stages": [], "started": null, "ended": null}');
CREATE TABLE jobs (
	position INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	body TEXT NOT NULL, 
	request TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (position), 
	UNIQUE (id)
);
INSERT INTO "jobs" VALUES(1,'aaaaaaaa-0000-4000-8000-000000000001','4242:777','{"id": "aaaaaaaa-0000-4000-8000-000000000001", "operation": "build", "target": "mock", "image_id": "image", "build_id": "build", "created": 5.0, "state": {"is": "completed", "identifier": "mock-1", "size": 12345}, "target_image_id": null, "provider": null, "provider_account_identifier": null, "template_id": null, "percent": 100, "activity": "", "stages": [], "started": null, "ended": null}','{"template": "<template/>", "siblings": []}');
INSERT INTO "jobs" VALUES(2,'aaaaaaaa-0000-4000-8000-000000000002','4242:777','{"id": "aaaaaaaa-0000-4000-8000-000000000002", "operation": "build", "target": "mock", "image_id": "image", "build_id": "build", "created": 5.0, "state": {"is": "failed", "failure": {"message": "the mirror does not answer", "hint": "try again", "incident": "", "cancelled": false}}, "target_image_id": null, "provider": null, "provider_account_identifier": null, "template_id": null, "percent": 0, "activity": "", "stages": [], "started": null, "ended": null}','{"template": "<template/>", "siblings": []}');
INSERT INTO "jobs" VALUES(3,'aaaaaaaa-0000-4000-8000-000000000003','4242:777','{"id": "aaaaaaaa-0000-4000-8000-000000000003", "operation": "build", "target": "mock", "image_id": "image", "build_id": "build", "created": 5.0, "state": {"is": "queued"}, "target_image_id": null, "provider": null, "provider_account_identifier": null, "template_id": null, "percent": 0, "activity": "", "stages": [], "started": null, "ended": null}','');
CREATE TABLE lines (
	job TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	time FLOAT NOT NULL, 
	text TEXT NOT NULL, 
	PRIMARY KEY (job, number)
)
 WITHOUT ROWID

;
INSERT INTO "lines" VALUES('aaaaaaaa-0000-4000-8000-000000000001',1,1000.5,'unpacking base-files');
INSERT INTO "lines" VALUES('aaaaaaaa-0000-4000-8000-000000000001',2,1001.0,'done');
CREATE TABLE quarantine (
	position INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	body TEXT, 
	request TEXT, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (position)
);
CREATE INDEX events_of_job ON events (job, id);
COMMIT;
PRAGMA user_version = 1;
