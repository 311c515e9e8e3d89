#include "business/store/postgres_schema.h"

#include <string>

#include "lib/runtime/log.h"

namespace business {
namespace {

using runtime::Error;
using runtime::Result;

// The first is "XYLM"; whoever migrates holds it.
constexpr std::string_view kMigrationLock = "1482247245";

// As collections_schema.cc, which says what the columns are; numbers are all bigint, and texts
// compare by bytes as SQLite's do.
constexpr char kSchema[] = R"sql(
  CREATE DOMAIN name_text AS text COLLATE "C";

  CREATE TABLE account (
    jid name_text NOT NULL PRIMARY KEY,
    domain name_text NOT NULL,
    created bigint NOT NULL,
    password_changed bigint NOT NULL,
    locked bigint NOT NULL DEFAULT 0
  );
  CREATE INDEX account_by_domain ON account (domain, jid);
  CREATE TABLE credential (
    jid name_text NOT NULL REFERENCES account (jid) ON DELETE CASCADE,
    hash name_text NOT NULL,
    iterations bigint NOT NULL,
    salt bytea NOT NULL,
    stored_key bytea NOT NULL,
    server_key bytea NOT NULL,
    PRIMARY KEY (jid, hash)
  );
  CREATE TABLE cluster_state (
    id bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    generation bigint NOT NULL,
    fingerprint text NOT NULL
  );
  INSERT INTO cluster_state VALUES (1, 0, '');
  CREATE TABLE probe (
    id bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    stamp bigint NOT NULL
  );
  -- One row a writer: the newest batch that it committed. It asks when COMMIT got no answer.
  CREATE TABLE store_writer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch bigint NOT NULL,
    stamp bigint NOT NULL                  -- seconds
  ) WITH (fillfactor = 50);

  CREATE TABLE owner (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    jid name_text NOT NULL UNIQUE
  ) WITH (fillfactor = 80);
  CREATE FUNCTION account_is_owner() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO owner (jid) VALUES (NEW.jid) ON CONFLICT DO NOTHING;
    RETURN NULL;
  END $$;
  CREATE TRIGGER account_is_owner AFTER INSERT ON account
    FOR EACH ROW EXECUTE FUNCTION account_is_owner();
  CREATE FUNCTION account_takes_all_with_it() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    DELETE FROM owner WHERE jid = OLD.jid;
    RETURN NULL;
  END $$;
  CREATE TRIGGER account_takes_all_with_it AFTER DELETE ON account
    FOR EACH ROW EXECUTE FUNCTION account_takes_all_with_it();

  CREATE TABLE roster (
    owner bigint NOT NULL PRIMARY KEY REFERENCES owner (id) ON DELETE CASCADE,
    version bigint NOT NULL,
    oldest bigint NOT NULL
  );
  CREATE TABLE roster_item (
    owner bigint NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    contact name_text NOT NULL,
    version bigint NOT NULL,
    removed bigint NOT NULL,
    name text NOT NULL,
    subscription bigint NOT NULL,
    ask bigint NOT NULL,
    approved bigint NOT NULL,
    group_names text NOT NULL,
    PRIMARY KEY (owner, contact)
  );
  CREATE TABLE roster_request (
    owner bigint NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    contact name_text NOT NULL,
    stamp bigint NOT NULL,
    stanza bytea NOT NULL,
    PRIMARY KEY (owner, contact)
  );
  CREATE TABLE roster_transition (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner bigint NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    contact name_text NOT NULL,
    cause bytea NOT NULL,
    version bigint NOT NULL,
    existed bigint NOT NULL,
    name text NOT NULL,
    subscription bigint NOT NULL,
    ask bigint NOT NULL,
    approved bigint NOT NULL,
    group_names text NOT NULL,
    stamp bigint NOT NULL,
    stanza bytea,
    UNIQUE (owner, contact, cause)
  );

  CREATE TABLE offline (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner bigint NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    effect bytea NOT NULL,
    stamp bigint NOT NULL,
    flags bigint NOT NULL,
    size bigint NOT NULL,
    bytes bytea NOT NULL,
    UNIQUE (owner, effect)
  );
  CREATE INDEX offline_by_owner ON offline (owner, id);

  CREATE TABLE archive (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner bigint UNIQUE REFERENCES owner (id) ON DELETE SET NULL,
    position bigint NOT NULL,
    stamp bigint NOT NULL,
    mark bigint NOT NULL,
    indexed bigint NOT NULL,
    oldest bigint
  ) WITH (fillfactor = 70);                -- each message updates a row in place
  CREATE INDEX archive_by_oldest ON archive (oldest) WHERE oldest IS NOT NULL;
  CREATE TABLE archive_preferences (
    owner bigint NOT NULL PRIMARY KEY REFERENCES owner (id) ON DELETE CASCADE,
    otherwise bigint NOT NULL,
    always text NOT NULL,
    never text NOT NULL
  );
  CREATE TABLE archive_row (
    id bigint NOT NULL PRIMARY KEY,
    archive bigint NOT NULL,
    effect bytea NOT NULL,
    stamp bigint NOT NULL,
    with_bare name_text NOT NULL,
    with_resource name_text NOT NULL,
    incoming bigint NOT NULL,
    hidden bigint NOT NULL,
    flags bigint NOT NULL,
    origin bytea NOT NULL,
    origin_id text NOT NULL,
    body text,
    bytes bytea NOT NULL
  );
  CREATE UNIQUE INDEX archive_row_effect ON archive_row (archive, effect);
  CREATE INDEX archive_row_with ON archive_row (archive, with_bare, id);
  CREATE INDEX archive_row_hidden ON archive_row (id) WHERE hidden = 1;
  CREATE TABLE archive_text (
    id bigint NOT NULL PRIMARY KEY,
    words text[] COLLATE "C" NOT NULL      -- of the body, each behind its archive's number
  );
  CREATE INDEX archive_text_words ON archive_text USING gin (words);

  CREATE TABLE collection (
    owner bigint NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    type name_text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (owner, type)
  );
  CREATE TABLE collection_entry (
    owner bigint NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    type name_text NOT NULL,
    key name_text NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (owner, type, key)
  );

  CREATE TABLE pubsub_node (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner bigint NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    name name_text NOT NULL,
    type text NOT NULL,
    config bytea NOT NULL,
    version bigint NOT NULL,
    created bigint NOT NULL,
    UNIQUE (owner, name)
  );
  CREATE TABLE pubsub_item (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node bigint NOT NULL REFERENCES pubsub_node (id) ON DELETE CASCADE,
    id name_text NOT NULL,
    publisher text NOT NULL,
    stamp bigint NOT NULL,
    payload bytea NOT NULL,
    UNIQUE (node, id)
  );
  CREATE INDEX pubsub_item_by_number ON pubsub_item (node, number);
  CREATE TABLE pubsub_affiliation (
    node bigint NOT NULL REFERENCES pubsub_node (id) ON DELETE CASCADE,
    jid name_text NOT NULL,
    affiliation text NOT NULL,
    PRIMARY KEY (node, jid)
  );
  CREATE INDEX pubsub_affiliation_by_jid ON pubsub_affiliation (jid);
  CREATE TABLE pubsub_subscription (
    node bigint NOT NULL REFERENCES pubsub_node (id) ON DELETE CASCADE,
    jid name_text NOT NULL,
    subid name_text NOT NULL,
    bare name_text NOT NULL,
    state text NOT NULL,
    options bytea NOT NULL,
    PRIMARY KEY (node, jid, subid)
  );
  CREATE INDEX pubsub_subscription_by_bare ON pubsub_subscription (bare);

  CREATE TABLE domain (
    name name_text NOT NULL PRIMARY KEY,
    added bigint NOT NULL,
    settings bytea NOT NULL
  );
  CREATE TABLE domain_state (
    id bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    generation bigint NOT NULL
  );
  INSERT INTO domain_state VALUES (1, 0);
)sql";

Result<int64_t> Number(PostgresConnection& connection, std::string_view sql) {
  SqlQuery row = connection.Query(sql);
  if (row.Step()) return row.Int(0);
  return connection.LastError();
}

Result<void> Apply(PostgresConnection& connection, const Migration& step) {
  const std::string version = std::to_string(step.version);
  // Several statements in one message are one transaction.
  if (connection.Execute("BEGIN; " + std::string(step.sql) +
                         "; UPDATE xylem_schema SET version = " + version + "; COMMIT")) {
    return {};
  }
  const Error error = connection.LastError();
  if (connection.InTransaction()) connection.Execute("ROLLBACK");
  return Error::Failed("migration to schema version " + version + " failed: " + error.message);
}

Result<void> ApplyAll(PostgresConnection& connection, const std::vector<Migration>& steps) {
  Result<int64_t> version = PostgresSchemaVersion(connection);
  if (!version) return version.error();
  if (*version == 0) {
    const Result<int64_t> tables =
        Number(connection, "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()");
    if (!tables) return tables.error();
    const Result<int64_t> named =
        Number(connection,
               "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() "
               "AND tablename = 'xylem_schema'");
    if (!named) return named.error();
    if (*tables > 0 && *named == 0) {
      return Error::Failed("the database holds tables, but is not a store of Xylem");
    }
    if (!connection.Execute("CREATE TABLE IF NOT EXISTS xylem_schema (version bigint NOT NULL); "
                            "INSERT INTO xylem_schema SELECT 0 WHERE NOT EXISTS "
                            "(SELECT 1 FROM xylem_schema)")) {
      return connection.LastError();
    }
  }
  for (const Migration& step : steps) {
    if (step.version <= *version) continue;
    Result<void> applied = Apply(connection, step);
    if (!applied) return applied;
    runtime::LogInfo("store_migrated", "schema raised", {{"schema", step.version}});
  }
  return {};
}

}  // namespace

// Numbered as SQLite's: version N says the same of both engines.
const std::vector<Migration>& PostgresMigrations() {
  static const std::vector<Migration> steps = {{2, kSchema}};
  return steps;
}

Result<int64_t> PostgresSchemaVersion(PostgresConnection& connection) {
  const Result<int64_t> known =
      Number(connection,
             "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND "
             "tablename = 'xylem_schema'");
  if (!known || *known == 0) return known;
  return Number(connection, "SELECT coalesce(max(version), 0) FROM xylem_schema");
}

Result<void> MigratePostgres(PostgresConnection& connection, const std::vector<Migration>& steps) {
  const Result<int64_t> version = PostgresSchemaVersion(connection);
  if (!version) return version.error();
  const Result<bool> behind = IsBehind(*version, steps);
  if (!behind) return behind.error();
  if (!*behind) return {};
  const std::string lock(kMigrationLock);
  // Others may migrate for minutes.
  if (!connection.Execute("SET lock_timeout = 0; SELECT pg_advisory_lock(" + lock + ")")) {
    return connection.LastError();
  }
  Result<void> applied = ApplyAll(connection, steps);
  connection.Execute("SELECT pg_advisory_unlock(" + lock + ")");
  return applied;
}

}  // namespace business
