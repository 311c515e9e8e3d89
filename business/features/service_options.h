// What a configuration says of the service that features offer, as plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace business {

// XEP-0157: by kind of matter, addresses as URIs.
struct ContactAddresses {
  std::vector<std::pair<std::string, std::vector<std::string>>> fields;  // "abuse-addresses" …
  std::vector<std::string> outage_status;                                // XEP-0455
};

// XEP-0215.
struct ExternalService {
  std::string type, host, transport, name;
  uint16_t port = 0;               // 0: not said
  std::string secret;              // shared with the service: credentials are made of it
  std::string username, password;  // given as they are, if there is no secret
};

// XEP-0077.
struct RegistrationOptions {
  bool open = false;  // anybody may have an account
  bool change_password = true;
  bool remove_account = true;
  uint32_t per_address = 3;  // accounts of one address in `per_address_time`
  std::chrono::milliseconds per_address_time{3600000};
};

// XEP-0379, 0401, 0445.
struct InvitationOptions {
  bool by_users = false;  // may users invite new ones, or administrators only?
  std::chrono::milliseconds lifetime{7 * 86400000LL};
  uint32_t per_account = 20;  // that are not used up yet
  std::string landing_page;   // "{uri}" stands for the invitation; empty: none
};

struct ServiceOptions {
  ContactAddresses contacts;
  std::vector<ExternalService> external;
  std::chrono::milliseconds external_lifetime{86400000};
  RegistrationOptions registration;
  InvitationOptions invitations;
  std::vector<std::string> administrators;  // normalised bare JIDs

  bool IsAdministrator(std::string_view bare) const {
    for (const std::string& jid : administrators) {
      if (jid == bare) return true;
    }
    return false;
  }
};

}  // namespace business
