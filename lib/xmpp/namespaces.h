// Every XML namespace that Xylem speaks, and no other place may spell one.
#pragma once

#include <string_view>

namespace xmpp::ns {

// RFC 6120, RFC 6121
inline constexpr std::string_view kClient = "jabber:client";
inline constexpr std::string_view kServer = "jabber:server";
inline constexpr std::string_view kStreams = "http://etherx.jabber.org/streams";
inline constexpr std::string_view kStreamErrors = "urn:ietf:params:xml:ns:xmpp-streams";
inline constexpr std::string_view kStanzaErrors = "urn:ietf:params:xml:ns:xmpp-stanzas";
inline constexpr std::string_view kTls = "urn:ietf:params:xml:ns:xmpp-tls";
inline constexpr std::string_view kSasl = "urn:ietf:params:xml:ns:xmpp-sasl";
inline constexpr std::string_view kBind = "urn:ietf:params:xml:ns:xmpp-bind";
inline constexpr std::string_view kSession = "urn:ietf:params:xml:ns:xmpp-session";
inline constexpr std::string_view kRoster = "jabber:iq:roster";
inline constexpr std::string_view kRosterVersions = "urn:xmpp:features:rosterver";
inline constexpr std::string_view kPreApproval = "urn:xmpp:features:pre-approval";
inline constexpr std::string_view kXml = "http://www.w3.org/XML/1998/namespace";
inline constexpr std::string_view kXmlns = "http://www.w3.org/2000/xmlns/";

// XEPs
inline constexpr std::string_view kDiscoInfo = "http://jabber.org/protocol/disco#info";    // 0030
inline constexpr std::string_view kDiscoItems = "http://jabber.org/protocol/disco#items";  // 0030
inline constexpr std::string_view kDataForms = "jabber:x:data";                            // 0004
inline constexpr std::string_view kRsm = "http://jabber.org/protocol/rsm";                 // 0059
inline constexpr std::string_view kPubsub = "http://jabber.org/protocol/pubsub";           // 0060
inline constexpr std::string_view kPubsubOwner = "http://jabber.org/protocol/pubsub#owner";
inline constexpr std::string_view kPubsubEvent = "http://jabber.org/protocol/pubsub#event";
inline constexpr std::string_view kPubsubErrors = "http://jabber.org/protocol/pubsub#errors";
inline constexpr std::string_view kPubsubNodeConfig =
    "http://jabber.org/protocol/pubsub#node_config";
inline constexpr std::string_view kPubsubPublishOptions =
    "http://jabber.org/protocol/pubsub#publish-options";
inline constexpr std::string_view kPubsubMetaData = "http://jabber.org/protocol/pubsub#meta-data";
inline constexpr std::string_view kAddresses = "http://jabber.org/protocol/address";  // 0033
inline constexpr std::string_view kAvatarData = "urn:xmpp:avatar:data";               // 0084
inline constexpr std::string_view kAvatarMetadata = "urn:xmpp:avatar:metadata";       // 0084
inline constexpr std::string_view kBookmarks = "urn:xmpp:bookmarks:1";                // 0402
inline constexpr std::string_view kBookmarkStorage = "storage:bookmarks";             // 0048
inline constexpr std::string_view kVersion = "jabber:iq:version";                     // 0092
inline constexpr std::string_view kPing = "urn:xmpp:ping";                            // 0199
inline constexpr std::string_view kTime = "urn:xmpp:time";                            // 0202
inline constexpr std::string_view kDelay = "urn:xmpp:delay";                          // 0203
inline constexpr std::string_view kSm = "urn:xmpp:sm:3";                              // 0198
inline constexpr std::string_view kCarbons = "urn:xmpp:carbons:2";                    // 0280
inline constexpr std::string_view kForward = "urn:xmpp:forward:0";                    // 0297
inline constexpr std::string_view kPie = "urn:xmpp:pie:0";                            // 0227
inline constexpr std::string_view kPieScram = "urn:xmpp:pie:0#scram";                 // 0227
inline constexpr std::string_view kPieArchive = "urn:xmpp:pie:0#mam";                 // 0227
inline constexpr std::string_view kMam = "urn:xmpp:mam:2";                            // 0313
inline constexpr std::string_view kStanzaId = "urn:xmpp:sid:0";                       // 0359
inline constexpr std::string_view kHints = "urn:xmpp:hints";                          // 0334
inline constexpr std::string_view kOccupantId = "urn:xmpp:occupant-id:0";             // 0421
inline constexpr std::string_view kCompress = "http://jabber.org/protocol/compress";  // 0138
inline constexpr std::string_view kSaslChannelBinding = "urn:xmpp:sasl-cb:0";         // 0440
inline constexpr std::string_view kStreamLimits = "urn:xmpp:stream-limits:0";         // 0478
inline constexpr std::string_view kAppErrors = "urn:xmpp:errors";                     // 0182
inline constexpr std::string_view kFraming = "urn:ietf:params:xml:ns:xmpp-framing";   // RFC 7395
inline constexpr std::string_view kMuc = "http://jabber.org/protocol/muc";            // 0045
inline constexpr std::string_view kChatStates = "http://jabber.org/protocol/chatstates";  // 0085
inline constexpr std::string_view kCaps = "http://jabber.org/protocol/caps";              // 0115
inline constexpr std::string_view kReceipts = "urn:xmpp:receipts";                        // 0184
inline constexpr std::string_view kMarkers = "urn:xmpp:chat-markers:0";                   // 0333
inline constexpr std::string_view kEme = "urn:xmpp:eme:0";                                // 0380
inline constexpr std::string_view kMucUser = "http://jabber.org/protocol/muc#user";       // 0045
inline constexpr std::string_view kConference = "jabber:x:conference";                    // 0249
inline constexpr std::string_view kArchive = "urn:xmpp:mam:2";                            // 0313
inline constexpr std::string_view kArchiveExtended = "urn:xmpp:mam:2#extended";
inline constexpr std::string_view kArchiveGroupchatField = "urn:xmpp:mam:2#groupchat-field";
inline constexpr std::string_view kFulltext = "urn:xmpp:fulltext:0";  // 0431
inline constexpr std::string_view kDataValidate = "http://jabber.org/protocol/xdata-validate";
inline constexpr std::string_view kRetract = "urn:xmpp:message-retract:1";  // 0424
inline constexpr std::string_view kTombstones = "urn:xmpp:message-retract:1#tombstone";
inline constexpr std::string_view kReactions = "urn:xmpp:reactions:0";           // 0444
inline constexpr std::string_view kJingleMessage = "urn:xmpp:jingle-message:0";  // 0353
inline constexpr std::string_view kOmemo = "eu.siacs.conversations.axolotl";     // 0384
inline constexpr std::string_view kOmemo2 = "urn:xmpp:omemo:2";                  // 0384

// Accounts and the service
inline constexpr std::string_view kOutageStatus = "urn:xmpp:sos:0";                      // 0455
inline constexpr std::string_view kDisplayed = "urn:xmpp:mds:displayed:0";               // 0490
inline constexpr std::string_view kDisplayedAssist = "urn:xmpp:mds:server-assist:0";     // 0490
inline constexpr std::string_view kPrivateXml = "jabber:iq:private";                     // 0049
inline constexpr std::string_view kVcardTemp = "vcard-temp";                             // 0054
inline constexpr std::string_view kVcardUpdate = "vcard-temp:x:update";                  // 0153
inline constexpr std::string_view kBlocking = "urn:xmpp:blocking";                       // 0191
inline constexpr std::string_view kBlockingErrors = "urn:xmpp:blocking:errors";          // 0191
inline constexpr std::string_view kReporting = "urn:xmpp:reporting:1";                   // 0377
inline constexpr std::string_view kReportSpam = "urn:xmpp:reporting:spam";               // 0377
inline constexpr std::string_view kReportAbuse = "urn:xmpp:reporting:abuse";             // 0377
inline constexpr std::string_view kLastActivity = "jabber:iq:last";                      // 0012
inline constexpr std::string_view kServerInfo = "http://jabber.org/network/serverinfo";  // 0157
inline constexpr std::string_view kRegister = "jabber:iq:register";                      // 0077
inline constexpr std::string_view kRegisterFeature = "http://jabber.org/features/iq-register";
inline constexpr std::string_view kCommands = "http://jabber.org/protocol/commands";  // 0050
inline constexpr std::string_view kAdmin = "http://jabber.org/protocol/admin";        // 0133
inline constexpr std::string_view kExternalServices = "urn:xmpp:extdisco:2";          // 0215
inline constexpr std::string_view kPreauth = "urn:xmpp:pars:0";                       // 0379
inline constexpr std::string_view kInvite = "urn:xmpp:invite";                        // 0401
inline constexpr std::string_view kInviteAccount = "urn:xmpp:invite#create-account";  // 0401
inline constexpr std::string_view kInviteContact = "urn:xmpp:invite#invite";          // 0401
inline constexpr std::string_view kIbrToken = "urn:xmpp:ibr-token:0";                 // 0445

}  // namespace xmpp::ns
