#include "business/session/session_survey.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "business/session/redis_question.h"
#include "lib/cluster/redis_keys.h"

namespace business {
namespace {

using cluster::SessionRecord;
using runtime::OneShot;
using runtime::RedisClient;
using runtime::RedisReply;
using runtime::Result;
using runtime::Task;

constexpr char kScanCount[] = "500";  // accounts a step: one pipeline of look-ups each

}  // namespace

Task<Result<SessionSurvey::Rows>> SessionSurvey::RowsOf(std::vector<xmpp::BareJid> accounts) {
  struct Lookups {
    std::vector<Result<std::vector<SessionRecord>>> found;
    size_t open = 0;
    OneShot<bool> done;
  };
  if (accounts.empty()) co_return Rows();
  auto lookups = std::make_shared<Lookups>();
  lookups->open = accounts.size();
  lookups->found.assign(accounts.size(), std::vector<SessionRecord>());
  for (size_t i = 0; i < accounts.size(); ++i) {
    registry_->Lookup(accounts[i], [lookups, i](Result<std::vector<SessionRecord>> rows) {
      lookups->found[i] = std::move(rows);
      if (--lookups->open == 0) lookups->done.Set(true);
    });
  }
  co_await lookups->done;
  Rows rows;
  for (size_t i = 0; i < accounts.size(); ++i) {
    if (!lookups->found[i]) co_return lookups->found[i].error();
    for (SessionRecord& record : *lookups->found[i]) {
      std::string jid = accounts[i].ToString() + "/" + record.resource;
      rows.push_back({std::move(jid), std::move(record)});
    }
  }
  co_return rows;
}

Task<Result<SessionSurvey::Rows>> SessionSurvey::AllRows(size_t enough) {
  RedisClient::Args keys{"HKEYS", cluster::ManagersKey()};
  Result<RedisReply> managers = co_await Ask(redis_, std::move(keys));
  if (!managers) co_return managers.error();
  Rows rows;
  absl::flat_hash_set<std::string> seen;
  for (const RedisReply& field : managers->array) {
    auto manager = cluster::ParseManagerField(field.text);
    if (!manager.has_value()) continue;
    const std::string key = cluster::ManagerAccountsKey(manager->first, manager->second);
    std::string cursor = "0";
    do {
      RedisClient::Args scan{"SSCAN", key, cursor, "COUNT", kScanCount};
      Result<RedisReply> step = co_await Ask(redis_, std::move(scan));
      if (!step) co_return step.error();
      if (step->array.size() != 2) co_return runtime::Error::Failed("unexpected reply of SSCAN");
      cursor = step->array[0].text;
      std::vector<xmpp::BareJid> accounts;
      for (const RedisReply& account : step->array[1].array) {
        if (!seen.insert(account.text).second) continue;
        accounts.push_back(xmpp::BareJid::FromNormalized(account.text));
      }
      Result<Rows> found = co_await RowsOf(std::move(accounts));
      if (!found) co_return found.error();
      std::move(found->begin(), found->end(), std::back_inserter(rows));
      if (rows.size() >= enough) co_return rows;
    } while (cursor != "0");
  }
  co_return rows;
}

}  // namespace business
