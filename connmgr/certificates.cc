#include "connmgr/certificates.h"

#include <sys/stat.h>

#include <utility>

#include "lib/runtime/log.h"

namespace connmgr {

runtime::Result<std::unique_ptr<Certificates>> Certificates::Load(const Settings& settings) {
  auto certificates = std::make_unique<Certificates>();
  if (settings.certificates.empty()) return certificates;
  runtime::TlsOptions options;
  options.identities = settings.certificates;
  options.ticket_key_file = settings.ticket_key_file;
  auto starttls = runtime::TlsContext::Create(options);
  if (!starttls) return starttls.error();
  options.alpn = {"xmpp-client"};
  auto direct_tls = runtime::TlsContext::Create(options);
  if (!direct_tls) return direct_tls.error();
  certificates->starttls_ = *starttls;
  certificates->direct_tls_ = *direct_tls;
  for (const auto& identity : settings.certificates) {
    certificates->files_.push_back(identity.certificate_file);
    certificates->files_.push_back(identity.key_file);
  }
  if (!settings.ticket_key_file.empty()) certificates->files_.push_back(settings.ticket_key_file);
  certificates->stamps_ = certificates->ReadStamps();
  return certificates;
}

Certificates::FileStamps Certificates::ReadStamps() const {
  FileStamps stamps;
  for (const std::string& file : files_) {
    struct stat info {};
    // stat follows links: what Kubernetes swaps is a link.
    if (stat(file.c_str(), &info) == 0) {
      stamps[file] = info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec +
                     static_cast<int64_t>(info.st_ino);
    }
  }
  return stamps;
}

bool Certificates::Reload() {
  if (!available()) return true;
  stamps_ = ReadStamps();
  for (auto& context : {starttls_, direct_tls_}) {
    auto result = context->Reload();
    if (!result) {
      runtime::LogError("certificates_refused", "The old certificates stay in use.",
                        {{"err", result.error().message}});
      return false;
    }
  }
  runtime::LogInfo("certificates_loaded", "New connections get the certificates just read.",
                   {{"first_expiry", FirstExpiry()}});
  return true;
}

void Certificates::ReloadIfChanged() {
  if (!available()) return;
  // A half-written pair is refused; the next look sees it complete.
  if (FileStamps now = ReadStamps(); now != stamps_) Reload();
}

int64_t Certificates::FirstExpiry() const { return available() ? starttls_->FirstExpiry() : 0; }

}  // namespace connmgr
