// The TLS contexts of the client ports: made at start, read again when files change.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connmgr/settings.h"
#include "lib/runtime/result.h"
#include "lib/runtime/tls.h"

namespace connmgr {

// Thread-safe once loaded: connections are accepted on every loop while Reload swaps what new ones
// get. Connections that stand keep what they have.
class Certificates {
 public:
  // An error names the file. Without certificates there is simply no TLS.
  static runtime::Result<std::unique_ptr<Certificates>> Load(const Settings& settings);

  bool available() const { return starttls_ != nullptr; }
  runtime::TlsContext& starttls() const { return *starttls_; }
  // With ALPN `xmpp-client` (XEP-0368).
  runtime::TlsContext& direct_tls() const { return *direct_tls_; }

  // Reads the files again, at SIGHUP or when ReloadIfChanged sees a difference. What cannot be used
  // is refused with a log line and the old certificates stay. One thread.
  bool Reload();
  void ReloadIfChanged();

  int64_t FirstExpiry() const;  // seconds since the epoch; 0 without certificates

 private:
  using FileStamps = std::map<std::string, int64_t>;
  FileStamps ReadStamps() const;

  std::vector<std::string> files_;
  FileStamps stamps_;
  std::shared_ptr<runtime::TlsContext> starttls_;
  std::shared_ptr<runtime::TlsContext> direct_tls_;
};

}  // namespace connmgr
