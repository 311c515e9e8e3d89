#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "admin/admin_client.h"
#include "admin/invocation.h"
#include "admin/output.h"
#include "admin/pie_reader.h"
#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/namespaces.h"
#include "proto/admin.pb.h"

namespace admin {
namespace {

namespace v1 = xylem::v1;

struct TransferOptions {
  std::string file;
  std::string jid, domain;
  bool archive = false;
};
using Options = std::shared_ptr<TransferOptions>;

constexpr size_t kRequestBytes = 1 << 20;
constexpr int kRequestUsers = 500;
constexpr size_t kShownNotes = 20;
constexpr auto kDeadline = std::chrono::minutes(2);  // thousands of writes

// ---- import ----

class Import {
 public:
  explicit Import(AdminClient* client) : client_(client) {}

  // False: a request failed.
  bool Take(PieUser user) {
    auto* part = request_.add_users();
    part->set_jid(std::move(user.jid));
    part->set_password(std::move(user.password));
    bytes_ += user.bytes;
    for (std::string& element : user.elements) part->add_elements(std::move(element));
    return (bytes_ < kRequestBytes && request_.users_size() < kRequestUsers) || Send();
  }

  bool Send() {
    if (request_.users().empty()) return true;
    v1::ImportUsersResponse answer;
    failure_ =
        client_->Call("ImportUsers", request_, &answer, AdminClient::Repeat::kYes, kDeadline);
    request_.Clear();
    bytes_ = 0;
    if (failure_.has_value()) return false;
    const auto add = [](uint64_t more, uint64_t* sum) { *sum += more; };
    for (size_t i = 0; i < std::size(kCounts); ++i) {
      add((answer.*kCounts[i].second)(), &counts_[i]);
    }
    notes_.insert(notes_.end(), answer.notes().begin(), answer.notes().end());
    return true;
  }

  const std::optional<Failure>& failure() const { return failure_; }

  ExitCode Report(const std::vector<std::string>& file_notes, Output& output) const {
    if (output.json()) {
      Json counts, notes = Json::array();
      for (size_t i = 0; i < std::size(kCounts); ++i) counts[kCounts[i].first] = counts_[i];
      for (const std::string& note : file_notes) notes.push_back({{"text", note}});
      for (const auto& note : notes_) notes.push_back({{"jid", note.jid()}, {"text", note.text()}});
      output.WriteJson({{"imported", counts}, {"left_out", notes}});
      return ExitCode::kOk;
    }
    std::vector<std::vector<std::string>> rows{{"WHAT", "IMPORTED"}};
    for (size_t i = 0; i < std::size(kCounts); ++i) {
      rows.push_back({kCounts[i].first, std::to_string(counts_[i])});
    }
    output.WriteTable(rows);
    for (const std::string& note : file_notes) output.WriteNote(note);
    for (size_t i = 0; i < notes_.size() && i < kShownNotes; ++i) {
      output.WriteNote(notes_[i].jid() + ": " + notes_[i].text());
    }
    if (notes_.size() > kShownNotes) {
      output.WriteNote(std::to_string(notes_.size() - kShownNotes) + " more notes: see --json");
    }
    return ExitCode::kOk;
  }

 private:
  using Getter = uint64_t (v1::ImportUsersResponse::*)() const;
  static constexpr std::pair<const char*, Getter> kCounts[] = {
      {"accounts", &v1::ImportUsersResponse::accounts},
      {"contacts", &v1::ImportUsersResponse::contacts},
      {"requests", &v1::ImportUsersResponse::requests},
      {"offline", &v1::ImportUsersResponse::offline},
      {"private_xml", &v1::ImportUsersResponse::private_xml},
      {"vcards", &v1::ImportUsersResponse::vcards},
      {"blocked", &v1::ImportUsersResponse::blocked},
      {"nodes", &v1::ImportUsersResponse::nodes},
      {"items", &v1::ImportUsersResponse::items},
      {"archived", &v1::ImportUsersResponse::archived}};

  AdminClient* const client_;
  v1::ImportUsersRequest request_;
  size_t bytes_ = 0;
  uint64_t counts_[std::size(kCounts)] = {};
  std::vector<v1::ImportUsersResponse::Note> notes_;
  std::optional<Failure> failure_;
};

ExitCode ImportFile(const TransferOptions& options, AdminClient& client, Output& output) {
  Import import(&client);
  PieReader reader([&import](PieUser user) { return import.Take(std::move(user)); });
  const std::string error = reader.Read(options.file);
  if (!import.failure().has_value()) import.Send();
  if (import.failure().has_value()) return output.Fail(*import.failure());
  // What was read before stands; the file mended, the whole may be imported again.
  if (!error.empty()) return output.Fail({ExitCode::kFailed, "UNREADABLE", error});
  return import.Report(reader.notes(), output);
}

// ---- export ----

// For its owner only: it holds what passwords were made into.
class PrivateFile {
 public:
  explicit PrivateFile(const std::string& path)
      : fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {
    if (fd_ < 0) error_ = path + ": " + std::strerror(errno);
  }
  ~PrivateFile() {
    if (fd_ >= 0) close(fd_);
  }
  PrivateFile(const PrivateFile&) = delete;
  PrivateFile& operator=(const PrivateFile&) = delete;

  void Write(std::string_view text) {
    while (error_.empty() && !text.empty()) {
      const ssize_t wrote = write(fd_, text.data(), text.size());
      if (wrote < 0 && errno != EINTR) error_ = std::strerror(errno);
      if (wrote > 0) text.remove_prefix(static_cast<size_t>(wrote));
    }
  }
  void Sync() {
    if (error_.empty() && fsync(fd_) != 0) error_ = std::strerror(errno);
  }
  const std::string& error() const { return error_; }

 private:
  const int fd_;
  std::string error_;
};

// An element relative to jabber:client within elements of XEP-0227's namespace.
std::string Qualified(const std::string& element) {
  const size_t name_end = element.find_first_of(" />");
  const size_t tag_end = element.find('>');
  if (element.substr(0, tag_end).find(" xmlns='") != std::string::npos) return element;
  std::string qualified = element.substr(0, name_end);
  xmpp::AppendAttribute(&qualified, "xmlns", xmpp::ns::kClient);
  return qualified.append(element, name_end);
}

std::optional<Failure> ExportOne(const std::string& jid, bool archive, AdminClient& client,
                                 PrivateFile* file) {
  std::string head = "<user";
  xmpp::AppendAttribute(&head, "name", jid.substr(0, jid.find('@')));
  file->Write(head + ">");
  v1::ExportUserRequest request;
  request.set_jid(jid);
  request.set_archive(archive);
  do {
    v1::ExportUserResponse answer;
    auto failure =
        client.Call("ExportUser", request, &answer, AdminClient::Repeat::kYes, kDeadline);
    if (failure.has_value()) return failure;
    for (const std::string& element : answer.elements()) file->Write(Qualified(element));
    request.set_next(answer.next());
  } while (!request.next().empty() && file->error().empty());
  file->Write("</user>\n");
  return std::nullopt;
}

// Ordered by JID as they come: a host's users need not stand together.
std::optional<Failure> UsersOf(const TransferOptions& options, AdminClient& client,
                               std::vector<std::string>* jids) {
  if (!options.jid.empty()) {
    v1::UserRequest request;
    request.set_jid(options.jid);
    v1::User user;
    auto failure = client.Call("GetUser", request, &user);
    if (!failure.has_value()) jids->push_back(user.jid());
    return failure;
  }
  v1::ListUsersRequest request;
  request.set_domain(options.domain);
  for (;;) {
    v1::UserList page;
    auto failure = client.Call("ListUsers", request, &page);
    if (failure.has_value()) return failure;
    for (const auto& user : page.users()) jids->push_back(user.jid());
    if (!page.more() || page.users().empty()) return std::nullopt;
    request.set_after(page.users().rbegin()->jid());
  }
}

ExitCode ExportFile(const TransferOptions& options, AdminClient& client, Output& output) {
  std::vector<std::string> jids;
  auto failure = UsersOf(options, client, &jids);
  if (failure.has_value()) return output.Fail(*failure);
  std::stable_sort(jids.begin(), jids.end(), [](const std::string& a, const std::string& b) {
    return a.substr(a.find('@')) < b.substr(b.find('@'));
  });
  PrivateFile file(options.file);
  file.Write("<?xml version='1.0' encoding='UTF-8'?>\n<server-data xmlns='");
  file.Write(std::string(xmpp::ns::kPie) + "'>\n");
  std::string host;
  for (const std::string& jid : jids) {
    if (!file.error().empty()) break;
    const std::string domain = jid.substr(jid.find('@') + 1);
    if (domain != host) {
      std::string tag = host.empty() ? "<host" : "</host>\n<host";
      xmpp::AppendAttribute(&tag, "jid", domain);
      file.Write(tag + ">\n");
      host = domain;
    }
    failure = ExportOne(jid, options.archive, client, &file);
    if (failure.has_value()) return output.Fail(*failure);
  }
  file.Write(host.empty() ? "</server-data>\n" : "</host>\n</server-data>\n");
  file.Sync();
  if (!file.error().empty()) return output.Fail({ExitCode::kFailed, "UNWRITABLE", file.error()});
  if (output.json()) {
    output.WriteJson({{"exported", jids.size()}, {"file", options.file}});
  } else {
    output.WriteLine(std::to_string(jids.size()) + " accounts are in " + options.file +
                     ", which only you can read");
  }
  return ExitCode::kOk;
}

}  // namespace

void AddTransferCommands(CLI::App* app, Invocation* invocation) {
  auto options = std::make_shared<TransferOptions>();
  CLI::App* read = app->add_subcommand(
      "import", "read accounts with their data from a file of another server or of this one");
  read->add_option("FILE", options->file, "as XEP-0227 has it; what it includes lies beside it")
      ->required()
      ->type_name("");
  read->callback([=] {
    invocation->ask = [=](AdminClient& client, Output& output) {
      return ImportFile(*options, client, output);
    };
  });

  CLI::App* write = app->add_subcommand("export", "write accounts with their data into a file");
  write->add_option("FILE", options->file, "a new file")->required()->type_name("");
  write->add_option("--user", options->jid, "only this account")->type_name("JID");
  write->add_option("--domain", options->domain, "only accounts of this domain")
      ->type_name("DOMAIN");
  write->add_flag("--archive", options->archive, "with the message archives");
  write->callback([=] {
    invocation->ask = [=](AdminClient& client, Output& output) {
      return ExportFile(*options, client, output);
    };
  });
}

}  // namespace admin
