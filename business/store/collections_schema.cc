#include "business/store/collections_schema.h"

namespace business {

// Rows name their owner by number: JIDs are long and stand in every index. A number is never used
// again, so nothing that was left behind can belong to a later account of the same name.
const char kCollectionsSchema[] = R"sql(
  CREATE TABLE owner (                     -- each account, and what else owns collections
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    jid TEXT NOT NULL UNIQUE               -- bare, normalised
  ) STRICT;
  INSERT INTO owner (jid) SELECT jid FROM account;
  -- Triggers, so that the release before, which knows no owners, keeps them right too.
  CREATE TRIGGER account_is_owner AFTER INSERT ON account BEGIN
    INSERT INTO owner (jid) SELECT NEW.jid
      WHERE NOT EXISTS (SELECT 1 FROM owner WHERE jid = NEW.jid);
  END;
  CREATE TRIGGER account_takes_all_with_it AFTER DELETE ON account BEGIN
    DELETE FROM owner WHERE jid = OLD.jid;
  END;

  CREATE TABLE roster (
    owner INTEGER NOT NULL PRIMARY KEY REFERENCES owner (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,              -- of the newest change
    oldest INTEGER NOT NULL                -- every change after this version is known
  ) STRICT;
  CREATE TABLE roster_item (
    owner INTEGER NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    contact TEXT NOT NULL,
    version INTEGER NOT NULL,
    removed INTEGER NOT NULL,              -- 1: a tombstone for roster versioning
    name TEXT NOT NULL,
    subscription INTEGER NOT NULL,         -- 1 to, 2 from, 3 both
    ask INTEGER NOT NULL,
    approved INTEGER NOT NULL,
    group_names TEXT NOT NULL,             -- separated by U+001F, which XML does not allow
    PRIMARY KEY (owner, contact)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE roster_request (            -- inbound, not answered yet
    owner INTEGER NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    contact TEXT NOT NULL,
    stamp INTEGER NOT NULL,                -- milliseconds
    stanza BLOB NOT NULL,
    PRIMARY KEY (owner, contact)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE roster_transition (         -- the newest few of each contact, with what was before
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    contact TEXT NOT NULL,
    cause BLOB NOT NULL,
    version INTEGER NOT NULL,              -- after it
    existed INTEGER NOT NULL,
    name TEXT NOT NULL,
    subscription INTEGER NOT NULL,
    ask INTEGER NOT NULL,
    approved INTEGER NOT NULL,
    group_names TEXT NOT NULL,
    stamp INTEGER NOT NULL,
    stanza BLOB,                           -- NULL: no request stood
    UNIQUE (owner, contact, cause)
  ) STRICT;

  CREATE TABLE offline (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,  -- order of arrival, never used again
    owner INTEGER NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    effect BLOB NOT NULL,
    stamp INTEGER NOT NULL,                -- milliseconds
    flags INTEGER NOT NULL,
    size INTEGER NOT NULL,                 -- of bytes
    bytes BLOB NOT NULL,
    UNIQUE (owner, effect)
  ) STRICT;
  CREATE INDEX offline_by_owner ON offline (owner, id, size);

  CREATE TABLE archive (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    owner INTEGER UNIQUE REFERENCES owner (id) ON DELETE SET NULL,  -- NULL: nobody's, to be erased
    position INTEGER NOT NULL,             -- the newest given
    stamp INTEGER NOT NULL,                -- the newest given, milliseconds
    mark INTEGER NOT NULL,                 -- everything up to this position was confirmed
    indexed INTEGER NOT NULL,              -- rows up to this position are in archive_text
    oldest INTEGER                         -- stamp of the first row; NULL: no rows
  ) STRICT;
  CREATE INDEX archive_by_oldest ON archive (oldest) WHERE oldest IS NOT NULL;
  CREATE TABLE archive_preferences (
    owner INTEGER NOT NULL PRIMARY KEY REFERENCES owner (id) ON DELETE CASCADE,
    otherwise INTEGER NOT NULL,            -- 0 always, 1 never, 2 roster
    always TEXT NOT NULL,                  -- JIDs, separated by U+001F
    never TEXT NOT NULL
  ) STRICT;
  CREATE TABLE archive_row (
    id INTEGER NOT NULL PRIMARY KEY,       -- archive << 36 | position: a page is one range
    archive INTEGER NOT NULL,
    effect BLOB NOT NULL,                  -- cluster id, effect index
    stamp INTEGER NOT NULL,                -- milliseconds, never before the row before
    with_bare TEXT NOT NULL,
    with_resource TEXT NOT NULL,
    incoming INTEGER NOT NULL,
    hidden INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    origin BLOB NOT NULL,
    origin_id TEXT NOT NULL,
    body TEXT,                             -- NULL: not to be searched
    bytes BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX archive_row_effect ON archive_row (archive, effect);
  CREATE INDEX archive_row_with ON archive_row (archive, with_bare, id, with_resource, hidden);
  CREATE INDEX archive_row_hidden ON archive_row (id) WHERE hidden = 1;
  CREATE VIRTUAL TABLE archive_text USING fts5 (
    body, with_bare, content = 'archive_row', content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 2'
  );

  CREATE TABLE collection (                -- small collections, told apart by type
    owner INTEGER NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    type TEXT NOT NULL,
    version INTEGER NOT NULL,              -- raised by each change
    PRIMARY KEY (owner, type)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE collection_entry (
    owner INTEGER NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,                   -- may be a picture: a rowid table
    PRIMARY KEY (owner, type, key)
  ) STRICT;

  CREATE TABLE pubsub_node (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    type TEXT NOT NULL,                    -- leaf, collection
    config BLOB NOT NULL,
    version INTEGER NOT NULL,              -- of the configuration
    created INTEGER NOT NULL,              -- milliseconds
    UNIQUE (owner, name)
  ) STRICT;
  CREATE TABLE pubsub_item (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,  -- order of publication
    node INTEGER NOT NULL REFERENCES pubsub_node (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    publisher TEXT NOT NULL,
    stamp INTEGER NOT NULL,                -- milliseconds
    payload BLOB NOT NULL,
    UNIQUE (node, id)
  ) STRICT;
  CREATE INDEX pubsub_item_by_number ON pubsub_item (node, number);
  CREATE TABLE pubsub_affiliation (
    node INTEGER NOT NULL REFERENCES pubsub_node (id) ON DELETE CASCADE,
    jid TEXT NOT NULL,
    affiliation TEXT NOT NULL,
    PRIMARY KEY (node, jid)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX pubsub_affiliation_by_jid ON pubsub_affiliation (jid);
  CREATE TABLE pubsub_subscription (
    node INTEGER NOT NULL REFERENCES pubsub_node (id) ON DELETE CASCADE,
    jid TEXT NOT NULL,                     -- as it subscribed: bare or full
    subid TEXT NOT NULL,
    bare TEXT NOT NULL,
    state TEXT NOT NULL,
    options BLOB NOT NULL,
    PRIMARY KEY (node, jid, subid)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX pubsub_subscription_by_bare ON pubsub_subscription (bare);

  CREATE TABLE domain (                    -- added while the cluster runs
    name TEXT NOT NULL PRIMARY KEY,
    added INTEGER NOT NULL,                -- seconds
    settings BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE domain_state (              -- one row: raised by each change of the list
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL
  ) STRICT;
  INSERT INTO domain_state VALUES (1, 0);
)sql";

}  // namespace business
