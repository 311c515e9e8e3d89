// XEP-0401: Ad-hoc Account Invitation Generation 0.6.0, with the tokens of XEP-0379 and XEP-0445
// (see invitations.h and the Registrar).
#include "business/features/invite_commands.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "business/features/invitations.h"
#include "business/features/store_trouble.h"
#include "business/session/shard.h"
#include "lib/runtime/log.h"
#include "lib/xmpp/date_time.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::DataForm;
using xmpp::StanzaError;

struct Inviting {
  Shard* shard;
  ServiceOptions options;
};
using InvitingPtr = std::shared_ptr<const Inviting>;

// The server's domain, whether it or the inviter's account was asked.
Task<CommandOutcome> Give(InvitingPtr inviting, Invitation invitation) {
  Invitations invitations(inviting->shard, inviting->options.invitations);
  const auto token = co_await invitations.Make(&invitation);
  if (!token) co_return StoreTrouble(token.error());
  if (!*token) {
    co_return StanzaError::ResourceConstraint("too many invitations are not used yet");
  }
  runtime::LogInfo("invitation_made", "An account may be made by invitation.",
                   {{"inviter", invitation.inviter.ToString()},
                    {"domain", invitation.domain},
                    {"username", invitation.username}});
  const std::string uri = InvitationUri(invitation, **token);
  DataForm form = DataForm::Of("result", std::string(ns::kInvite) + "#invitation");
  form.Add("uri", "text-single", uri);
  const std::string page = LandingPage(inviting->options.invitations.landing_page, uri);
  if (!page.empty()) form.Add("landing-url", "text-single", page);
  form.Add("expire", "text-single", xmpp::DateTimeText(invitation.expires_ms / 1000 * 1000));
  co_return CommandReply::Result(std::move(form));
}

// §3.1: a contact, who may make an account here.
Task<CommandOutcome> InviteContact(InvitingPtr inviting, CommandStep step) {
  Invitation invitation;
  invitation.inviter = step.asker;
  invitation.domain = step.iq.to.domain();
  invitation.contact = true;
  CommandOutcome outcome = co_await Give(inviting, std::move(invitation));
  co_return outcome;
}

// §3.4: an account, with a name or without.
Task<CommandOutcome> InviteAccount(InvitingPtr inviting, CommandStep step) {
  if (step.stage == 0) {
    DataForm form;
    form.type = "form";
    form.title = "Invite to make an account";
    form.fields.push_back({.var = "username", .type = "text-single", .label = "Username"});
    form.fields.push_back({.var = "roster-subscription",
                           .type = "boolean",
                           .label = "Roster subscription",
                           .values = {"false"}});
    co_return CommandReply::Ask(std::move(form));
  }
  Invitation invitation;
  invitation.inviter = step.asker;
  invitation.domain = step.iq.to.domain();
  invitation.contact = xmpp::ParseBoolean(step.Value("roster-subscription")).value_or(false);
  if (const std::string username = step.Value("username"); !username.empty()) {
    const auto local = xmpp::NormalizeLocalpart(username);
    if (!local) co_return StanzaError::NotAcceptable("this cannot be a name");
    invitation.username = *local;
  }
  CommandOutcome outcome = co_await Give(inviting, std::move(invitation));
  co_return outcome;
}

}  // namespace

std::vector<Command> InviteCommands(Shard* shard, const ServiceOptions& options) {
  const auto inviting = std::make_shared<const Inviting>(Inviting{shard, options});
  const auto allowed = [inviting](const xmpp::BareJid& asker) {
    return inviting->options.invitations.by_users ||
           inviting->options.IsAdministrator(asker.ToString());
  };
  const auto administrators = [inviting](const xmpp::BareJid& asker) {
    return inviting->options.IsAdministrator(asker.ToString());
  };
  return {{std::string(ns::kInviteContact), "Invite user", allowed,
           [inviting](CommandStep step) { return InviteContact(inviting, std::move(step)); }},
          {std::string(ns::kInviteAccount), "Create account", administrators,
           [inviting](CommandStep step) { return InviteAccount(inviting, std::move(step)); }}};
}

Feature InvitationSpecs() {
  Feature feature;
  feature.name = "invitations";
  feature.specs = {{.xep = 379, .version = "0.3.3"},
                   {.xep = 401, .version = "0.6.0"},
                   {.xep = 445, .version = "0.2.0"}};
  feature.needs = {"commands", "registration"};
  feature.config = "invitations";
  return feature;
}

}  // namespace business
