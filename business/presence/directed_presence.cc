#include "business/presence/directed_presence.h"

#include <algorithm>

#include "business/session/session.h"

namespace business {

bool RememberDirected(Session& session, const std::string& to) {
  auto& directed = session.directed;
  if (std::find(directed.begin(), directed.end(), to) != directed.end()) return true;
  if (directed.size() >= kMaxDirected) return false;
  directed.push_back(to);
  session.SendTicket();
  return true;
}

void ForgetDirected(Session& session, const std::string& to) {
  if (std::erase(session.directed, to) > 0) session.SendTicket();
}

}  // namespace business
