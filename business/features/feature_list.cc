#include "business/features/feature_list.h"

#include <memory>
#include <utility>

#include "business/features/admin_commands.h"
#include "business/features/avatar_conversion.h"
#include "business/features/block_lists.h"
#include "business/features/blocking.h"
#include "business/features/bookmarks.h"
#include "business/features/carbons.h"
#include "business/features/command.h"
#include "business/features/contact_addresses.h"
#include "business/features/disco_answers.h"
#include "business/features/disco_info.h"
#include "business/features/disco_items.h"
#include "business/features/displayed_sync.h"
#include "business/features/entity_time.h"
#include "business/features/external_services.h"
#include "business/features/invite_commands.h"
#include "business/features/last_activity.h"
#include "business/features/ping.h"
#include "business/features/private_xml.h"
#include "business/features/registration.h"
#include "business/features/server_caps.h"
#include "business/features/session_establishment.h"
#include "business/features/software_version.h"
#include "business/features/spam_report.h"
#include "business/features/stream_management.h"
#include "business/features/vcard_temp.h"
#include "business/history/archive_preferences.h"
#include "business/history/archive_queries.h"
#include "business/history/message_archive.h"
#include "business/history/offline_messages.h"
#include "business/history/retraction.h"
#include "business/message/stanza_ids.h"
#include "business/pep/entity_caps.h"
#include "business/pep/pep.h"
#include "business/presence/roster_iq.h"

namespace business {

namespace {

// What is kept of messages. Behind whatever refuses one: that is in no archive (XEP-0313 §5).
void AddHistory(const FeatureWorld& world, std::vector<Feature>* features) {
  const HistoryOptions& options = world.history;
  if (options.archive) {
    auto preferences = std::make_shared<ArchivePreferencesCache>(world.shard);
    features->push_back(MessageArchive(world.shard, std::move(preferences), options));
    features->push_back(ArchiveQueries(world.shard, options));
    if (options.preferences) features->push_back(ArchivePreferencesIq(world.shard));
    features->push_back(Retraction());
  }
  if (options.offline) features->push_back(OfflineMessages(world.shard, options));
}

// Nodes of accounts, and who wants to hear of them.
void AddPep(const FeatureWorld& world, const std::shared_ptr<PersonalNodes>& nodes,
            std::vector<Feature>* features) {
  auto items = std::make_shared<PresenceItems>(nodes);
  auto learner = std::make_shared<CapsLearner>(world.shard, nodes->shared_caps());
  learner->SetOnKnown([items](const std::shared_ptr<Session>& session, const Interests& interests) {
    items->OnKnown(session, interests);
  });
  features->push_back(EntityCaps(std::move(learner)));
  features->push_back(Pep(nodes, std::move(items)));
  features->push_back(Bookmarks(nodes));
  features->push_back(AvatarConversion(nodes));
  features->push_back(DisplayedSync(nodes));
}

std::vector<Command> AllCommands(const FeatureWorld& world) {
  std::vector<Command> commands = AdminCommands(world.shard, world.service);
  for (Command& command : InviteCommands(world.shard, world.service)) {
    commands.push_back(std::move(command));
  }
  return commands;
}

}  // namespace

std::vector<Feature> AllFeatures(const FeatureWorld& world) {
  auto answers = std::make_shared<DiscoAnswers>();
  auto nodes = std::make_shared<PersonalNodes>(world.shard, world.pep);
  std::vector<Feature> features;
  // First: what is kept away is not to be archived, copied or pushed.
  features.push_back(Blocking(world.shard, std::make_shared<BlockLists>(world.shard)));
  features.push_back(SessionEstablishment());
  features.push_back(StreamManagement());
  features.push_back(RosterManagement(world.shard));
  features.push_back(DiscoInfo(answers));
  features.push_back(DiscoItems(answers));
  features.push_back(SoftwareVersion());
  features.push_back(Ping());
  features.push_back(EntityTime());
  features.push_back(Commands(AllCommands(world), world.command_sealer));
  features.push_back(InvitationSpecs());
  features.push_back(ServiceAdministration());
  features.push_back(Registration(world.shard, world.service.registration));
  features.push_back(ServerCaps(answers));
  features.push_back(ExternalServices(world.shard, world.service));
  features.push_back(ServiceContacts(world.service.contacts));
  features.push_back(LastActivity(world.shard));
  features.push_back(SpamReporting());
  features.push_back(VcardTemp(world.shard, AvatarFromVcard(nodes)));
  features.push_back(PrivateXml(world.shard, {BookmarkMirror(nodes)}));
  // First among those that handle messages for an account: what is archived, copied or pushed later
  // carries the id, and no forged one.
  features.push_back(StanzaIds(world.shard));
  features.push_back(Carbons());
  AddHistory(world, &features);
  AddPep(world, nodes, &features);
  *answers = DiscoAnswers::Of(features);
  return features;
}

}  // namespace business
