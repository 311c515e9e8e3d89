#include "business/message/message_content.h"

#include <string_view>
#include <utility>

#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::Element;
using xmpp::StanzaType;

constexpr uint64_t kSigns = xmpp::kHasChatState | xmpp::kHasReceipt | xmpp::kHasMarker;

bool Mentions(const xmpp::Stanza& stanza, std::string_view what) {
  return stanza.bytes.find(what) != std::string::npos;
}

struct Hints {
  bool store = false, no_store = false, no_permanent_store = false, no_copy = false;
};

Hints HintsOf(const Element& message) {
  Hints hints;
  for (const Element* child : message.Elements()) {
    if (child->ns() != ns::kHints) continue;
    hints.store |= child->name() == "store";
    hints.no_store |= child->name() == "no-store";
    hints.no_permanent_store |= child->name() == "no-permanent-store";
    hints.no_copy |= child->name() == "no-copy";
  }
  return hints;
}

// <x/> of XEP-0045: an invitation, or the mark of a private message.
bool IsInvitation(const Element& child) {
  if (child.Is("x", ns::kConference)) return true;
  return child.Is("x", ns::kMucUser) && (child.Find("invite", ns::kMucUser) != nullptr ||
                                         child.Find("decline", ns::kMucUser) != nullptr);
}

// What a person, or a client that comes later, wants to find again.
bool IsContent(const Element& child) {
  if (child.ns() == ns::kClient) return child.name() == "body" || child.name() == "subject";
  if (child.Is("received", ns::kReceipts)) return true;
  if (child.ns() == ns::kMarkers) return child.name() != "markable";
  if (child.Is("encrypted", ns::kOmemo) || child.Is("encrypted", ns::kOmemo2)) return true;
  return child.ns() == ns::kReactions || child.Is("retract", ns::kRetract) ||
         child.ns() == ns::kJingleMessage || IsInvitation(child);
}

// What alone is not worth keeping for who is away.
bool IsPassing(const Element& child) {
  return child.ns() == ns::kChatStates || child.ns() == ns::kHints || child.ns() == ns::kStanzaId ||
         child.ns() == ns::kCarbons || child.Is("thread", ns::kClient) ||
         child.Is("request", ns::kReceipts) || child.Is("markable", ns::kMarkers);
}

bool IsConversation(const xmpp::Stanza& stanza) {
  return stanza.type == StanzaType::kNormal || stanza.type == StanzaType::kChat;
}

void Keep(const xmpp::Stanza& stanza, const Element& message, const Hints& hints,
          MessageContent* content) {
  if (!IsConversation(stanza) || hints.no_store) return;
  bool kept = false, lasting = false;
  for (const Element* child : message.Elements()) {
    kept |= IsContent(*child);
    lasting |= !IsPassing(*child);
  }
  content->archived = (kept || hints.store) && !hints.no_permanent_store;
  content->offline = lasting || hints.store;
}

bool IsCopied(const xmpp::Stanza& stanza, const Element& message) {
  switch (stanza.type) {
    case StanzaType::kChat:
    case StanzaType::kError:  // what it answers cannot be told: taken to be a conversation
      return true;
    case StanzaType::kNormal:
      break;
    default:
      return false;
  }
  if ((stanza.flags & (xmpp::kHasBody | kSigns)) != 0) return true;
  for (const Element* child : message.Elements()) {
    if (IsContent(*child)) return true;
  }
  return false;
}

void Copy(const xmpp::Stanza& stanza, const Element& message, const Hints& hints,
          MessageContent* content) {
  // XEP-0334: hints in an error are those of what it answers.
  const bool no_copy = hints.no_copy && stanza.type != StanzaType::kError;
  if (no_copy || message.Find("private", ns::kCarbons) != nullptr) return;
  content->sent_copy = content->received_copy = IsCopied(stanza, message);
  // A room sends its private messages to each of the occupant's clients itself.
  const Element* room = message.Find("x", ns::kMucUser);
  if (room != nullptr && !IsInvitation(*room)) content->received_copy = false;
}

}  // namespace

MessageContent ContentOf(const xmpp::Stanza& stanza) {
  MessageContent content;
  constexpr uint64_t kLookCloser = xmpp::kHasHint | xmpp::kHasCarbon;
  if (IsConversation(stanza) && (stanza.flags & xmpp::kHasBody) != 0 &&
      (stanza.flags & kLookCloser) == 0 && !Mentions(stanza, ns::kMucUser)) {
    return {.archived = true, .offline = true, .sent_copy = true, .received_copy = true};
  }
  if (stanza.type == StanzaType::kGroupchat || stanza.type == StanzaType::kHeadline) return content;
  const auto message = Element::Parse(stanza.bytes);
  if (!message) return content;
  const Hints hints = HintsOf(*message);
  Keep(stanza, *message, hints, &content);
  Copy(stanza, *message, hints, &content);
  return content;
}

bool RemovePretended(xmpp::Stanza* message) {
  const bool carbon = (message->flags & xmpp::kHasCarbon) != 0;
  if (!carbon && !Mentions(*message, ns::kArchive)) return false;
  auto root = Element::Parse(message->bytes);
  if (!root) return false;
  const size_t removed = root->RemoveIf([](const Element& child) {
    return child.Is("result", ns::kArchive) ||
           (child.ns() == ns::kCarbons && child.name() != "private");
  });
  if (removed == 0) return false;
  message->bytes = root->Write();
  if (root->FirstChild() == nullptr) message->flags |= xmpp::kNoPayload;
  return true;
}

}  // namespace business
