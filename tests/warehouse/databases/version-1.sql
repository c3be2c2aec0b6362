BEGIN TRANSACTION;
CREATE TABLE attribute (
	object_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	value VARCHAR NOT NULL, 
	PRIMARY KEY (object_id, name), 
	FOREIGN KEY(object_id) REFERENCES object (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "attribute" VALUES(1,'build','b1');
INSERT INTO "attribute" VALUES(2,'target','ec2');
INSERT INTO "attribute" VALUES(1,'target','rhevm');
CREATE TABLE blob (
	id VARCHAR NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	size INTEGER NOT NULL, 
	allocated INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "blob" VALUES('0b0bd9516f404e95a5a0db46b42fcac0','a9ca23c7522c750c111cd97394ef82b6fc184579762400d044a9d5b4ea8fd4bf',15,4096);
CREATE TABLE bucket (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "bucket" VALUES(1,'target_images');
CREATE TABLE object (
	id INTEGER NOT NULL, 
	bucket_id INTEGER NOT NULL, 
	"key" VARCHAR NOT NULL, 
	blob_id VARCHAR, 
	modified FLOAT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (bucket_id, "key"), 
	FOREIGN KEY(bucket_id) REFERENCES bucket (id), 
	FOREIGN KEY(blob_id) REFERENCES blob (id)
);
INSERT INTO "object" VALUES(1,1,'one','0b0bd9516f404e95a5a0db46b42fcac0',1700000000.0);
INSERT INTO "object" VALUES(2,1,'two',NULL,1700000000.0);
CREATE TABLE provider (
	name VARCHAR NOT NULL, 
	type VARCHAR NOT NULL, 
	host VARCHAR DEFAULT '' NOT NULL, 
	port INTEGER DEFAULT '0' NOT NULL, 
	username VARCHAR DEFAULT '' NOT NULL, 
	password VARCHAR DEFAULT '' NOT NULL, 
	path VARCHAR DEFAULT '' NOT NULL, 
	main BOOLEAN DEFAULT '0' NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "provider" VALUES('primary','fs','',0,'','','',1);
CREATE TABLE replica (
	provider VARCHAR NOT NULL, 
	bucket VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	PRIMARY KEY (provider, bucket, "key")
);
CREATE TABLE replication (
	id INTEGER NOT NULL, 
	provider VARCHAR NOT NULL, 
	bucket VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	due FLOAT DEFAULT '0' NOT NULL, 
	error VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (provider, bucket, "key")
);
CREATE INDEX ix_blob_sha256 ON blob (sha256);
CREATE INDEX ix_object_blob_id ON object (blob_id);
CREATE INDEX attribute_by_value ON attribute (name, value, object_id);
COMMIT;
PRAGMA user_version = 1;
