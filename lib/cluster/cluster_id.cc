#include "lib/cluster/cluster_id.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>

#include "lib/cluster/base32.h"
#include "lib/cluster/ticket_sealer.h"
#include "lib/runtime/check.h"

namespace cluster {
namespace {

void AppendBigEndian(std::string* out, uint64_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(number >> shift));
  }
}

const unsigned char* In(std::string_view s) {
  return reinterpret_cast<const unsigned char*>(s.data());
}

}  // namespace

// One context for all ids: fetching and allocating would cost more than hashing.
struct ClusterIdMaker::Impl {
  struct Free {
    void operator()(EVP_MAC* m) const { EVP_MAC_free(m); }
    void operator()(EVP_MAC_CTX* c) const { EVP_MAC_CTX_free(c); }
  };
  std::unique_ptr<EVP_MAC, Free> siphash{EVP_MAC_fetch(nullptr, "SIPHASH", nullptr)};
  std::unique_ptr<EVP_MAC_CTX, Free> context{EVP_MAC_CTX_new(siphash.get())};
  std::string key;
  std::string head;
};

ClusterIdMaker::ClusterIdMaker(std::string_view secret) : impl_(std::make_unique<Impl>()) {
  CHECK(impl_->context != nullptr);
  impl_->key = DeriveSecret(secret, "xylem cluster id 1").substr(0, 16);
}

ClusterIdMaker::~ClusterIdMaker() = default;

ClusterId ClusterIdMaker::Make(std::string_view origin, uint64_t number, std::string_view to,
                               std::string_view bytes) {
  Impl& i = *impl_;
  // Lengths in front, so that no two inputs run together into the same bytes.
  i.head.clear();
  AppendBigEndian(&i.head, number, 8);
  AppendBigEndian(&i.head, origin.size(), 4);
  AppendBigEndian(&i.head, to.size(), 4);
  i.head.append(origin).append(to);
  size_t size = sizeof(ClusterId);
  OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                         OSSL_PARAM_construct_end()};
  ClusterId id;
  size_t written = 0;
  CHECK(EVP_MAC_init(i.context.get(), In(i.key), i.key.size(), params) == 1);
  CHECK(EVP_MAC_update(i.context.get(), In(i.head), i.head.size()) == 1);
  CHECK(EVP_MAC_update(i.context.get(), In(bytes), bytes.size()) == 1);
  CHECK(EVP_MAC_final(i.context.get(), reinterpret_cast<unsigned char*>(id.data()), &written,
                      id.size()) == 1 &&
        written == id.size());
  return id;
}

std::string ClusterIdText(const ClusterId& id) {
  return Base32(std::string_view(id.data(), id.size()));
}

std::optional<ClusterId> ParseClusterId(std::string_view text) {
  const auto bytes = ParseBase32(text);
  ClusterId id{};
  if (!bytes || bytes->size() != id.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

std::string EffectId(const ClusterId& id, uint16_t index) {
  std::string effect(id.data(), id.size());
  AppendBigEndian(&effect, index, 2);
  return effect;
}

}  // namespace cluster
