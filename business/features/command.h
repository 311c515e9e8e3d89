// Commands of XEP-0050: what one is, for who offers some.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "business/feature.h"
#include "lib/xmpp/data_form.h"

namespace cluster {
class TicketSealer;
}

namespace business {

// What a client has sent, and what was said before.
struct CommandStep {
  Iq iq;
  xmpp::BareJid asker;
  // 0: the command is only named; n: behind the n-th form.
  uint32_t stage = 0;
  std::string state;                   // as the stage before left it
  std::optional<xmpp::DataForm> form;  // submitted; empty where stage is 0

  // The value of a field of the form; empty if there is none.
  std::string Value(std::string_view var) const;
  std::vector<std::string> Values(std::string_view var) const;
};

struct CommandReply {
  std::optional<xmpp::DataForm> form;
  std::vector<xmpp::Element> content;                      // beside the form
  std::vector<std::pair<std::string, std::string>> notes;  // type (info, warn, error) and text
  bool completed = true;                                   // false: `form` is to be filled in
  std::string state;           // for the next stage; kept by the client, sealed
  std::function<void()> next;  // once the reply was issued

  static CommandReply Ask(xmpp::DataForm form, std::string state = {});
  static CommandReply Done(std::string note);
  static CommandReply Result(xmpp::DataForm form);
};
using CommandOutcome = std::variant<CommandReply, xmpp::StanzaError>;

struct Command {
  std::string node;
  std::string name;  // for people
  // May the account run it? Who may not does not even see it.
  std::function<bool(const xmpp::BareJid& asker)> allowed;
  // `step.form` has every required field of the form that was asked last. May run again with the
  // same step.
  std::function<Task<CommandOutcome>(CommandStep step)> run;
};

// How long a client may take for a form.
inline constexpr int64_t kCommandSeconds = 3600;

// Offers them on the served domains and on the asker's own account. What is between two stages is
// sealed into the session id: any server takes the next.
Feature Commands(std::vector<Command> commands,
                 std::shared_ptr<const cluster::TicketSealer> sealer);

}  // namespace business
