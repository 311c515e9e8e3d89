// Reads user data as servers export it (XEP-0227, "portable import/export"), user by user.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/expat_parser.h"

namespace admin {

// What is known of a user so far; one with much data comes in several parts.
struct PieUser {
  std::string jid;
  std::string password;               // empty: none
  std::vector<std::string> elements;  // canonical, relative to jabber:client
  size_t bytes = 0;                   // of the elements
};

// One use. Files that are included (XInclude, §5) are looked for beside the file that names them;
// nothing outside the first file's directory is read.
class PieReader final : private xmpp::ExpatSink {
 public:
  static constexpr size_t kPartBytes = 1 << 20;
  static constexpr size_t kElementBytes = 256 << 10;  // archives and offline messages are cut so

  // False: stop reading.
  using OnUser = std::function<bool(PieUser part)>;
  explicit PieReader(OnUser on_user) : on_user_(std::move(on_user)) {}

  // Empty: all was read, or `on_user` had enough. Else a sentence with file and what is wrong.
  std::string Read(const std::string& path);
  // What was not understood, a sentence each; at most kMaxNotes.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  static constexpr size_t kMaxNotes = 100;
  static constexpr size_t kMaxIncludes = 8;  // within each other

  enum class Place : uint8_t { kFile, kServer, kHost, kUser };
  struct File {
    std::filesystem::path path;
    xmpp::ExpatParser* parser;
  };

  // ExpatSink
  void OnXmlDeclaration(std::string_view, std::string_view) override {}
  void OnNamespace(std::string_view, std::string_view) override {}
  void OnNamespaceEnd() override {}
  void OnStart(const xmpp::ExpandedName& name, const char* const* attributes) override;
  void OnEnd(const xmpp::ExpandedName& name) override;
  void OnText(std::string_view text) override;
  void OnCdataEdge(bool) override {}
  void OnForbidden(std::string_view what) override;

  bool ReadFile(const std::filesystem::path& path);
  void Include(std::string_view href);
  void StartData(const xmpp::ExpandedName& name, const char* const* attributes);
  void EndData(const xmpp::ExpandedName& name);
  void TakeElement();
  void Emit();
  void Fail(std::string sentence);
  void Note(std::string sentence);

  const OnUser on_user_;
  std::filesystem::path root_;
  std::vector<File> files_;
  std::vector<std::string> notes_;
  std::string error_;
  bool stopped_ = false;
  Place place_ = Place::kFile;
  std::vector<bool> opened_;  // by element above data: it changed the place
  std::string host_;
  PieUser user_;
  xmpp::CanonicalWriter writer_;
  std::string scratch_;
  size_t depth_ = 0;     // within data; 1: the user's child is open
  size_t skipping_ = 0;  // depth within what is not understood
  bool cut_ = false;     // the user's child may be cut between its children
  std::string container_, container_ns_;
};

}  // namespace admin
