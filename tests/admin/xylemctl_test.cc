// xylemctl as scripts use it: the real program, its exit codes and its JSON.
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>

#include "tests/admin/fake_admin_server.h"
#include "tests/admin/program_run.h"

namespace admin {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;
using xylem::v1::User;

class Xylemctl : public ::testing::Test {
 protected:
  Xylemctl() {
    std::string pattern = (std::filesystem::temp_directory_path() / "xylemctl-XXXXXX").string();
    dir_ = mkdtemp(pattern.data());
  }
  ~Xylemctl() override { std::filesystem::remove_all(dir_); }

  std::string WriteFile(const std::string& name, const std::string& text) {
    const std::string path = dir_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  // With the server's address and a token.
  ProgramRun Run(const Words& words, const std::string& input = "") {
    Words all{XYLEMCTL, "--address", server_.address(), "--token-file",
              WriteFile("token", "t0ken\n")};
    all.insert(all.end(), words.begin(), words.end());
    return RunProgram(all, input);
  }
  // The one object on stdout.
  Json RunJson(Words words, int exit = 0, const std::string& input = "") {
    words.push_back("--json");
    const ProgramRun run = Run(words, input);
    EXPECT_EQ(run.exit, exit) << run.err;
    Json json = Json::parse(run.out, nullptr, false);
    EXPECT_TRUE(json.is_object()) << run.out;
    return json;
  }

  static User MakeUser(const std::string& jid, bool locked = false) {
    User user;
    user.set_jid(jid);
    user.set_locked(locked);
    user.set_created(1700000000);
    user.set_password_changed(1700000001);
    return user;
  }

  std::string dir_;
  FakeAdminServer server_;
};

TEST_F(Xylemctl, SendsTheTokenAndTheFirstLineOfStdinAsThePassword) {
  server_.On("AddUser", MakeUser("juliet@example.org"));
  const ProgramRun run =
      Run({"user", "add", "juliet@example.org", "--password-stdin"}, "pass word\r\nmore\n");
  EXPECT_EQ(run.exit, 0) << run.err;
  EXPECT_EQ(run.out, "juliet@example.org is added\n");
  EXPECT_EQ(server_.seen().back().method, "/xylem.v1.Admin/AddUser");
  EXPECT_EQ(server_.seen().back().authorization, "Bearer t0ken");
  const auto request = server_.LastRequest<xylem::v1::AddUserRequest>();
  EXPECT_EQ(request.jid(), "juliet@example.org");
  EXPECT_EQ(request.password(), "pass word");
}

TEST_F(Xylemctl, AnswersOneObjectForEachVerbOfUser) {
  const Json user{{"jid", "juliet@example.org"},
                  {"locked", true},
                  {"created", 1700000000},
                  {"password_changed", 1700000001}};
  for (const char* method : {"AddUser", "SetPassword", "LockUser", "GetUser"}) {
    server_.On(method, MakeUser("juliet@example.org", true));
  }
  server_.On("DeleteUser", xylem::v1::Empty());
  const std::string jid = "juliet@example.org";
  EXPECT_EQ(RunJson({"user", "add", jid, "--password-stdin"}, 0, "x\n"), Json({{"user", user}}));
  EXPECT_EQ(RunJson({"user", "passwd", jid, "--password-stdin"}, 0, "x\n"), Json({{"user", user}}));
  EXPECT_EQ(RunJson({"user", "lock", jid}), Json({{"user", user}}));
  EXPECT_TRUE(server_.LastRequest<xylem::v1::LockUserRequest>().locked());
  EXPECT_EQ(RunJson({"user", "unlock", jid}), Json({{"user", user}}));
  EXPECT_FALSE(server_.LastRequest<xylem::v1::LockUserRequest>().locked());
  EXPECT_EQ(RunJson({"user", "show", jid}), Json({{"user", user}}));
  EXPECT_EQ(RunJson({"user", "del", jid}), Json({{"deleted", jid}}));
}

TEST_F(Xylemctl, ReadsTheListOfUsersToItsEnd) {
  server_.On("ListUsers", [](const std::string& bytes) {
    xylem::v1::ListUsersRequest request;
    EXPECT_TRUE(request.ParseFromString(bytes));
    EXPECT_EQ(request.domain(), "example.org");
    xylem::v1::UserList list;
    *list.add_users() = MakeUser(request.after().empty() ? "a@example.org" : "b@example.org");
    list.set_more(request.after().empty());
    return FakeAdminServer::Answer{0, "", list.SerializeAsString()};
  });
  Json all = RunJson({"user", "list", "--domain", "example.org"});
  EXPECT_EQ(all["more"], false);
  ASSERT_EQ(all["users"].size(), 2u);
  EXPECT_EQ(all["users"][1]["jid"], "b@example.org");
  Json one = RunJson({"user", "list", "--domain", "example.org", "--limit", "1"});
  EXPECT_EQ(one["users"].size(), 1u);
  EXPECT_EQ(one["more"], true);
  EXPECT_EQ(server_.LastRequest<xylem::v1::ListUsersRequest>().limit(), 1u);
}

TEST_F(Xylemctl, AnEmptyListIsAnObjectToo) {
  server_.On("ListUsers", xylem::v1::UserList());
  EXPECT_EQ(RunJson({"user", "list"}), Json({{"users", Json::array()}, {"more", false}}));
  const ProgramRun run = Run({"user", "list"});
  EXPECT_EQ(run.exit, 0);
  EXPECT_EQ(run.out, "");
}

TEST_F(Xylemctl, ExitsByWhatTheServerSays) {
  const std::vector<std::tuple<int, int, std::string>> expected{
      {3, 1, "INVALID_ARGUMENT"},  {5, 3, "NOT_FOUND"},        {6, 4, "ALREADY_EXISTS"},
      {7, 6, "PERMISSION_DENIED"}, {12, 1, "UNIMPLEMENTED"},   {13, 1, "FAILED"},
      {14, 5, "UNAVAILABLE"},      {16, 6, "UNAUTHENTICATED"},
  };
  for (const auto& [status, exit, code] : expected) {
    server_.Refuse("GetUser", status, "because of it");
    EXPECT_EQ(RunJson({"user", "show", "a@example.org"}, exit),
              Json({{"error", {{"code", code}, {"text", "because of it"}}}}));
    const ProgramRun plain = Run({"user", "show", "a@example.org"});
    EXPECT_EQ(plain.exit, exit);
    EXPECT_EQ(plain.out, "");
    EXPECT_EQ(plain.err, "xylemctl: because of it\n");
  }
}

TEST_F(Xylemctl, ShowsSessionsAndKicksThem) {
  xylem::v1::SessionList list;
  xylem::v1::Session* session = list.add_sessions();
  session->set_jid("juliet@example.org/balcony");
  session->set_session(std::string(32, 'a'));
  session->set_manager("connmgr-1");
  session->set_manager_incarnation(0xfedcba9876543210);
  session->set_connection(7);
  session->set_epoch(0x10000000001);
  session->set_available(true);
  session->set_priority(-1);
  session->set_since(1700000000);
  session->set_peer_address("192.0.2.1:5000");
  server_.On("ListSessions", list);
  const Json expected{{"jid", "juliet@example.org/balcony"},
                      {"session", std::string(32, 'a')},
                      {"manager", "connmgr-1"},
                      {"manager_incarnation", "fedcba9876543210"},
                      {"connection", "0000000000000007"},
                      {"epoch", "0000010000000001"},
                      {"available", true},
                      {"priority", -1},
                      {"since", 1700000000},
                      {"peer_address", "192.0.2.1:5000"}};
  EXPECT_EQ(RunJson({"session", "list"}),
            Json({{"sessions", Json::array({expected})}, {"more", false}}));
  EXPECT_EQ(RunJson({"session", "show", "juliet@example.org/balcony"}),
            Json({{"session", expected}}));
  EXPECT_EQ(Run({"session", "show", "juliet@example.org"}).exit, 64);
  server_.On("ListSessions", xylem::v1::SessionList());
  EXPECT_EQ(Run({"session", "show", "juliet@example.org/x"}).exit, 3);

  xylem::v1::KickSessionResponse kicked;
  kicked.set_kicked(2);
  server_.On("KickSession", kicked);
  EXPECT_EQ(RunJson({"session", "kick", "juliet@example.org", "--text", "Good night."}),
            Json({{"kicked", 2}}));
  EXPECT_EQ(server_.LastRequest<xylem::v1::KickSessionRequest>().text(), "Good night.");
}

TEST_F(Xylemctl, ListsAndDrainsManagers) {
  xylem::v1::ManagerList list;
  xylem::v1::Manager* manager = list.add_managers();
  manager->set_instance("connmgr-1");
  manager->set_incarnation(1);
  manager->set_loops_attached(2);
  manager->set_sessions(17);
  manager->set_draining(true);
  manager->set_lease(true);
  const Json expected{{"managers", Json::array({{{"instance", "connmgr-1"},
                                                 {"incarnation", "0000000000000001"},
                                                 {"loops_attached", 2},
                                                 {"sessions", 17},
                                                 {"draining", true},
                                                 {"lease", true}}})}};
  server_.On("ListManagers", list);
  server_.On("DrainManager", list);
  EXPECT_EQ(RunJson({"manager", "list"}), expected);
  EXPECT_EQ(RunJson({"manager", "drain", "connmgr-1"}), expected);
  EXPECT_FALSE(server_.LastRequest<xylem::v1::DrainManagerRequest>().undrain());
  EXPECT_EQ(RunJson({"manager", "undrain", "connmgr-1"}), expected);
  EXPECT_TRUE(server_.LastRequest<xylem::v1::DrainManagerRequest>().undrain());
}

TEST_F(Xylemctl, TheDoctorFailsForAFailedCheckOnly) {
  xylem::v1::DoctorReport report;
  xylem::v1::DoctorReport::Check* check = report.add_checks();
  check->set_name("redis");
  check->set_state(xylem::v1::DoctorReport::Check::WARNING);
  check->set_text("slow");
  server_.On("Doctor", report);
  const Json checks = Json::array({{{"name", "redis"}, {"state", "warning"}, {"text", "slow"}}});
  EXPECT_EQ(RunJson({"doctor"}), Json({{"healthy", true}, {"checks", checks}}));
  check->set_state(xylem::v1::DoctorReport::Check::FAILED);
  server_.On("Doctor", report);
  EXPECT_EQ(RunJson({"doctor"}, 1)["healthy"], false);
}

TEST_F(Xylemctl, ChecksAConfigurationFileWithoutAServer) {
  const std::string good = WriteFile("good.yaml", "addresses: [\"127.0.0.1:1\"]\n");
  const std::string bad = WriteFile("bad.yaml", "adresses: []\n");
  auto check = [&](const std::string& file, const Words& more) {
    Words words{XYLEMCTL, "config", "check", file, "--tier", "xylemctl"};
    words.insert(words.end(), more.begin(), more.end());
    return RunProgram(words);
  };
  EXPECT_EQ(check(good, {}).exit, 0);
  EXPECT_EQ(Json::parse(check(good, {"--json"}).out),
            Json({{"good", true}, {"errors", Json::array()}}));
  const ProgramRun run = check(bad, {"--json"});
  EXPECT_EQ(run.exit, 2);
  const Json object = Json::parse(run.out);
  EXPECT_EQ(object["good"], false);
  EXPECT_NE(object["errors"][0].get<std::string>().find("adresses"), std::string::npos);
  EXPECT_EQ(RunProgram({XYLEMCTL, "config", "check", good, "--tier", "nonsense"}).exit, 64);
}

TEST_F(Xylemctl, PrintsTheRunningConfiguration) {
  xylem::v1::ConfigText text;
  text.set_yaml("loops: 2\n");
  server_.On("PrintConfig", text);
  EXPECT_EQ(RunJson({"config", "print"}), Json({{"yaml", "loops: 2\n"}}));
  EXPECT_EQ(Run({"config", "print"}).out, "loops: 2\n");
}

TEST_F(Xylemctl, TriesTheAddressesInOrder) {
  std::string nobody;
  {
    FakeAdminServer gone;
    nobody = gone.address();
  }
  FakeAdminServer sick;
  sick.Refuse("GetUser", 14, "no Redis here");
  sick.Refuse("AddUser", 14, "no Redis here");
  server_.On("GetUser", MakeUser("a@example.org"));
  server_.On("AddUser", MakeUser("a@example.org"));
  const std::string token = WriteFile("token", "t0ken");
  auto run = [&](const Words& words, const std::string& addresses) {
    Words all{XYLEMCTL, "--token-file", token, "--address", addresses};
    all.insert(all.end(), words.begin(), words.end());
    return RunProgram(all, "x\n");
  };
  const Words show{"user", "show", "a@example.org"};
  EXPECT_EQ(run(show, nobody + "," + sick.address() + "," + server_.address()).exit, 0);
  EXPECT_EQ(run(show, nobody).exit, 5);
  const ProgramRun failed = run(show, nobody + "," + sick.address());
  EXPECT_EQ(failed.exit, 5);
  EXPECT_NE(failed.err.find(nobody), std::string::npos);
  EXPECT_NE(failed.err.find("no Redis here"), std::string::npos);
  // The second answer would be "already there", whoever added it.
  const size_t before = server_.seen().size();
  const Words add{"user", "add", "a@example.org", "--password-stdin"};
  EXPECT_EQ(run(add, sick.address() + "," + server_.address()).exit, 5);
  EXPECT_EQ(server_.seen().size(), before);
  EXPECT_EQ(run(add, nobody + "," + server_.address()).exit, 0);
}

TEST_F(Xylemctl, AServerThatDoesNotAnswerIsUnavailable) {
  FakeAdminServer slow;
  std::promise<void> end;
  std::shared_future<void> ended = end.get_future().share();
  slow.On("GetUser", [ended](const std::string&) {
    ended.wait();
    return FakeAdminServer::Answer{};
  });
  const ProgramRun run =
      RunProgram({XYLEMCTL, "--address", slow.address(), "--token-file", WriteFile("token", "t"),
                  "--timeout", "0.2", "user", "show", "a@example.org"});
  end.set_value();
  EXPECT_EQ(run.exit, 5);
  EXPECT_NE(run.err.find("no answer in time"), std::string::npos) << run.err;
}

TEST_F(Xylemctl, TakesTheTokenFromFileEnvironmentOrConfiguration) {
  server_.On("GetUser", MakeUser("a@example.org"));
  const std::string config =
      WriteFile("xylemctl.yaml", "addresses: [\"" + server_.address() + "\"]\ntoken: of-config\n");
  const std::string file = WriteFile("token", "of-file\n");
  auto seen = [&](const Words& words, const Words& environment) {
    Words all{XYLEMCTL, "user", "show", "a@example.org"};
    all.insert(all.end(), words.begin(), words.end());
    EXPECT_EQ(RunProgram(all, "", environment).exit, 0);
    return server_.seen().back().authorization;
  };
  EXPECT_EQ(seen({"--config", config}, {}), "Bearer of-config");
  EXPECT_EQ(seen({"--config", config}, {"XYLEMCTL_TOKEN=of-environment"}), "Bearer of-environment");
  EXPECT_EQ(seen({"--config", config, "--token-file", file}, {"XYLEMCTL_TOKEN=of-environment"}),
            "Bearer of-file");
}

TEST_F(Xylemctl, BadConfigurationIsTwo) {
  auto exit = [&](const Words& words, const Words& environment = {}) {
    Words all{XYLEMCTL, "user", "list"};
    all.insert(all.end(), words.begin(), words.end());
    return RunProgram(all, "", environment).exit;
  };
  EXPECT_EQ(exit({}), 2);  // no token
  EXPECT_EQ(exit({"--token-file", dir_ + "/none"}), 2);
  EXPECT_EQ(exit({"--token-file", WriteFile("empty", "\n")}), 2);
  EXPECT_EQ(exit({"--token-file", WriteFile("two", "a\nb\n")}), 2);
  EXPECT_EQ(exit({"--config", dir_ + "/none.yaml"}, {"XYLEMCTL_TOKEN=t"}), 2);
  EXPECT_EQ(exit({"--config", WriteFile("bad.yaml", "nonsense: 1\n")}, {"XYLEMCTL_TOKEN=t"}), 2);
  // In plaintext the token stays on this host.
  EXPECT_EQ(exit({"--address", "192.0.2.1:5281"}, {"XYLEMCTL_TOKEN=t"}), 2);
}

TEST_F(Xylemctl, AWrongCommandLineIsSixtyFour) {
  for (const Words& words : std::vector<Words>{{},
                                               {"user"},
                                               {"user", "frob"},
                                               {"user", "add"},
                                               {"nonsense"},
                                               {"user", "add", "a@b", "c@d"},
                                               {"user", "list", "--limit", "many"},
                                               {"user", "add", "a@b", "--password", "secret"},
                                               {"config", "check", "file"},
                                               {"--timeout", "-1", "doctor"}}) {
    EXPECT_EQ(Run(words).exit, 64) << (words.empty() ? "" : words.back());
  }
  // Without a terminal, and without a line on stdin.
  EXPECT_EQ(Run({"user", "add", "a@b"}, "x\n").exit, 64);
  EXPECT_EQ(Run({"user", "add", "a@b", "--password-stdin"}).exit, 64);
  EXPECT_TRUE(server_.seen().empty());
}

TEST_F(Xylemctl, EveryHelpSaysHowToUseIt) {
  for (const Words& words : std::vector<Words>{{},
                                               {"user"},
                                               {"user", "add"},
                                               {"user", "passwd"},
                                               {"user", "del"},
                                               {"user", "list"},
                                               {"user", "lock"},
                                               {"user", "unlock"},
                                               {"user", "show"},
                                               {"session"},
                                               {"session", "list"},
                                               {"session", "show"},
                                               {"session", "kick"},
                                               {"manager"},
                                               {"manager", "list"},
                                               {"manager", "drain"},
                                               {"manager", "undrain"},
                                               {"config"},
                                               {"config", "check"},
                                               {"config", "print"},
                                               {"doctor"}}) {
    Words all{XYLEMCTL};
    std::string usage = "Usage: xylemctl";
    for (const std::string& word : words) usage += " " + word;
    all.insert(all.end(), words.begin(), words.end());
    all.push_back("--help");
    const ProgramRun run = RunProgram(all);
    EXPECT_EQ(run.exit, 0);
    EXPECT_NE(run.out.find(usage + " "), std::string::npos) << run.out;
  }
}

TEST_F(Xylemctl, ForeignTextDoesNotDriveTheTerminal) {
  xylem::v1::DoctorReport report;
  xylem::v1::DoctorReport::Check* check = report.add_checks();
  check->set_name("redis");
  check->set_state(xylem::v1::DoctorReport::Check::OK);
  check->set_text("\x1b[2J gone");
  server_.On("Doctor", report);
  const ProgramRun run = Run({"doctor"});
  EXPECT_EQ(run.exit, 0);
  EXPECT_EQ(run.out.find('\x1b'), std::string::npos);
  EXPECT_NE(run.out.find("\\u001b[2J gone"), std::string::npos) << run.out;
  server_.Refuse("Doctor", 14, "\x1b[2J gone");
  EXPECT_EQ(Run({"doctor"}).err.find('\x1b'), std::string::npos);
}

TEST_F(Xylemctl, ListsAddsAndDeletesDomains) {
  xylem::v1::DomainList list;
  list.add_domains()->set_name("example.org");
  list.mutable_domains(0)->set_configured(true);
  list.add_domains()->set_name("mantua.example");
  list.mutable_domains(1)->set_added(1700000000);
  for (const char* method : {"ListDomains", "AddDomain", "DeleteDomain"}) server_.On(method, list);
  const Json domains = Json::array(
      {{{"name", "example.org"}, {"configured", true}, {"added", 0}},
       {{"name", "mantua.example"}, {"configured", false}, {"added", 1700000000}}});
  EXPECT_EQ(RunJson({"domain", "list"}), Json({{"domains", domains}}));
  EXPECT_EQ(RunJson({"domain", "add", "mantua.example"}), Json({{"domains", domains}}));
  EXPECT_EQ(server_.LastRequest<xylem::v1::DomainRequest>().name(), "mantua.example");
  EXPECT_EQ(RunJson({"domain", "del", "mantua.example"}), Json({{"domains", domains}}));
  EXPECT_NE(Run({"domain", "list"}).out.find("run time"), std::string::npos);
  EXPECT_NE(Run({"domain", "add", "mantua.example"}).out.find("certificate"), std::string::npos);
  server_.Refuse("AddDomain", 6, "mantua.example is served already");
  const ProgramRun again = Run({"domain", "add", "mantua.example"});
  EXPECT_EQ(again.exit, 4);
  EXPECT_EQ(again.err, "xylemctl: mantua.example is served already\n");
  EXPECT_EQ(Run({"domain", "add"}).exit, 64);
}

TEST_F(Xylemctl, AsksAServerWhetherTheStoreIsWell) {
  xylem::v1::StoreReport report;
  report.set_engine("SQLite 3.40.1, /x");
  report.set_schema(2);
  report.set_known(2);
  report.set_write_us(2340);
  server_.On("CheckStore", report);
  EXPECT_EQ(RunJson({"store", "check"}), Json({{"healthy", true},
                                               {"store",
                                                {{"engine", "SQLite 3.40.1, /x"},
                                                 {"schema", 2},
                                                 {"known", 2},
                                                 {"write_us", 2340},
                                                 {"faults", Json::array()}}}}));
  report.add_faults("archive 7 has messages behind its newest position");
  server_.On("CheckStore", report);
  const ProgramRun bad = Run({"store", "check"});
  EXPECT_EQ(bad.exit, 1);
  EXPECT_NE(bad.out.find("fault: archive 7 has"), std::string::npos) << bad.out;
  EXPECT_EQ(RunJson({"store", "check"}, 1)["healthy"], false);
  server_.Refuse("CheckStore", 14, "checking the store: the store is not reached");
  EXPECT_EQ(Run({"store", "check"}).exit, 5);
}

TEST_F(Xylemctl, MakesAndChecksAStoreItself) {
  const std::string url = "sqlite:" + dir_ + "/xylem.db";
  const ProgramRun missing = Run({"store", "check", "--url", url});
  EXPECT_EQ(missing.exit, 5);
  EXPECT_NE(missing.err.find("No such file"), std::string::npos) << missing.err;
  const Json made = RunJson({"store", "migrate", "--url", url});
  EXPECT_EQ(made["store"]["schema_before"], 0);
  EXPECT_GE(made["store"]["schema"], 2);
  EXPECT_NE(Run({"store", "migrate", "--url", url}).out.find("nothing to be done"),
            std::string::npos);
  const std::string config =
      WriteFile("business.yaml", "cluster_secret: 0123456789abcdef0123456789abcdef\nstore:\n  url: " +
                                     url + "\n");
  EXPECT_EQ(RunJson({"store", "check", "--business", config})["healthy"], true);
  EXPECT_TRUE(server_.seen().empty());

  WriteFile("songs.db", "these are no tables at all");
  const std::string songs = "sqlite:" + dir_ + "/songs.db";
  for (const char* verb : {"check", "migrate"}) {
    const ProgramRun theirs = Run({"store", verb, "--url", songs});
    EXPECT_EQ(theirs.exit, 1) << verb;
    EXPECT_NE(theirs.err.find("songs.db: file is not a database"), std::string::npos) << theirs.err;
    EXPECT_EQ(Run({"store", verb, "--url", "mysql://x"}).exit, 2);
    EXPECT_EQ(Run({"store", verb, "--business", dir_ + "/nowhere.yaml"}).exit, 2);
    const ProgramRun nobody =
        Run({"store", verb, "--url", "postgresql://x@127.0.0.1:1/x?connect_timeout=2"});
    EXPECT_EQ(nobody.exit, 5);
    EXPECT_NE(nobody.err.find("Connection refused"), std::string::npos) << nobody.err;
  }
  EXPECT_EQ(Run({"store", "migrate"}).exit, 64);
  EXPECT_EQ(Run({"store", "check", "--url", url, "--business", config}).exit, 64);
}

}  // namespace
}  // namespace admin
