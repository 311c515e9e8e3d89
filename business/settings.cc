#include "business/settings.h"

#include <algorithm>
#include <string_view>
#include <thread>

#include "business/service_settings.h"
#include "lib/cluster/ticket_sealer.h"
#include "lib/runtime/config.h"
#include "lib/runtime/rpc_address.h"
#include "lib/xmpp/jid.h"
#include "proto/config/business.pb.h"

namespace business {
namespace {

using Errors = std::vector<std::string>;
using Config = xylem::config::Business;

constexpr size_t kSecretBytes = 32;

void ReadNames(const Config& config, Settings* s, Errors* errors) {
  for (const std::string& domain : config.domains()) {
    if (auto normalized = xmpp::NormalizeDomainpart(domain)) {
      s->domains.push_back(*normalized);
    } else {
      errors->push_back("domains: `" + domain + "` is not a domain");
    }
  }
  if (s->domains.empty()) errors->push_back("domains: at least one is needed");
  for (const std::string& text : config.administrators()) {
    if (auto jid = xmpp::BareJid::Parse(text)) {
      s->administrators.push_back(jid->ToString());
    } else {
      errors->push_back("administrators: `" + text + "` is not user@domain");
    }
  }
}

void ReadRpc(const Config& config, Settings* s, Errors* errors) {
  s->rpc.address = config.listen().rpc();
  const auto& files = config.rpc();
  s->rpc.credentials = {files.certificate_file(), files.key_file(), files.ca_file()};
  const bool none = files.certificate_file().empty() && files.key_file().empty() &&
                    files.ca_file().empty();
  const bool all = !files.certificate_file().empty() && !files.key_file().empty() &&
                   !files.ca_file().empty();
  if (!none && !all) {
    errors->push_back("rpc: certificate_file, key_file and ca_file are given all three or not at all");
  } else if (none && !runtime::IsLoopback(s->rpc.address)) {
    errors->push_back("listen.rpc: `" + s->rpc.address +
                      "` is no loopback address, which needs the files of rpc (mTLS)");
  }
}

void ReadAuth(const Config& config, Settings* s) {
  const auto& auth = config.auth();
  s->auth.mechanisms.assign(auth.mechanisms().begin(), auth.mechanisms().end());
  s->auth.domains = s->domains;
  s->auth.fake_salt_secret = cluster::DeriveSecret(s->secret, "xylem fake salt 1");
  s->auth.scram_iterations = auth.scram_iterations();
  s->auth.exchange_time = Settings::Ms(auth.exchange_time());
  s->auth.failures_per_address = auth.failures_per_address();
  s->auth.failure_delay = Settings::Ms(auth.failure_delay());
  s->hash_threads = static_cast<int>(auth.hash_threads());
  s->hash_queue = auth.hash_queue();
}

void ReadStores(const Config& config, Settings* s) {
  const auto& store = config.store();
  s->store.url = store.url();
  s->store.password = store.password();
  s->store.readers = store.readers();
  s->store.commit_delay = Settings::Ms(store.commit_delay());
  s->store.commit_batch = store.commit_batch();
  s->store.queue = store.queue();
  s->cache_time = Settings::Ms(store.cache_time());
  const auto& redis = config.redis();
  s->redis.addresses.assign(redis.addresses().begin(), redis.addresses().end());
  s->redis.cluster = redis.cluster();
  s->redis.username = redis.username();
  s->redis.password = redis.password();
  s->redis.command_deadline = Settings::Ms(redis.command_deadline());
}

void ReadHistory(const Config& config, HistoryOptions* options) {
  const auto& archive = config.archive();
  options->archive = archive.enabled();
  options->preferences = archive.preferences();
  options->retention = std::chrono::milliseconds(archive.retention());
  options->page = std::min(archive.page(), archive.page_max());
  options->page_max = archive.page_max();
  options->count_up_to = archive.count_up_to();
  const auto& offline = config.offline();
  options->offline = offline.enabled();
  options->offline_limits = {.messages = offline.messages(), .bytes = offline.bytes()};
}

void ReadPep(const Config& config, PepOptions* options) {
  const auto& pep = config.pep();
  options->rules.max_nodes = pep.nodes();
  options->rules.limits.max_items = pep.items();
  options->rules.limits.max_payload = pep.item_bytes();
  options->rules.answer_bytes = pep.answer_bytes();
  options->rules.max_subscriptions = pep.subscriptions();
  options->rules.max_affiliations = pep.subscriptions();
  options->notification_burst = pep.notification_burst();
  options->notifications_per_second = pep.notifications_per_second();
}

}  // namespace

std::vector<std::string> Settings::Read(const Config& config, Settings* settings) {
  Errors errors;
  Settings& s = *settings;
  s.loops = config.loops() != 0
                ? static_cast<int>(config.loops())
                : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  s.secret = config.cluster_secret();
  if (s.secret.size() < kSecretBytes) {
    errors.push_back("cluster_secret: 32 random bytes or more are needed");
    return errors;
  }
  ReadNames(config, settings, &errors);
  ReadRpc(config, settings, &errors);
  ReadAuth(config, settings);
  ReadStores(config, settings);
  ReadHistory(config, &s.history);
  ReadPep(config, &s.pep);
  ReadService(config, &s.service, &errors);
  s.service.administrators = s.administrators;
  const auto& session = config.session();
  s.resources = session.resources();
  s.replace = session.conflict() != "refuse";
  s.resumption = Ms(session.resumption());
  s.resumption_max = Ms(session.resumption_max());
  s.outbox.stanzas = session.outbox_stanzas();
  s.outbox.bytes = session.outbox_bytes();
  // Longer than any client may take to send again what it has sent.
  s.outbox.remember = s.resumption_max + std::chrono::minutes(10);
  s.lease = Ms(session.lease());
  s.reap_interval = Ms(session.reap_interval());
  s.admin.http_address = config.admin().http();
  s.admin.agent_address = config.admin().agent();
  s.admin.token = config.admin().token();
  s.admin_token = config.admin_token();
  s.text = runtime::PrintConfig(config);
  return errors;
}

}  // namespace business
