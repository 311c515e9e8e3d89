#include "tests/business/admin/admin_fixture.h"

namespace business {
namespace {

using xylem::v1::ConfigText;
using xylem::v1::Empty;

constexpr char kList[] = "/xylem.v1.Admin/ListUsers";

TEST_F(AdminTest, ACallWithoutTheTokenIsRefused) {
  const std::string token = kToken;
  const std::vector<std::string> refused{"",
                                         token,
                                         "Basic " + token,
                                         "Bearer ",
                                         "Bearer " + token + "0",
                                         "Bearer " + token.substr(0, 15),
                                         "Bearer 0123456789abcdeF",
                                         "Bearer  " + token};
  for (const std::string& authorization : refused) {
    EXPECT_EQ(CallRaw(*service_, kList, "", authorization).code, kUnauthenticated) << authorization;
  }
  EXPECT_EQ(CallRaw(*service_, kList, "", "Bearer " + token).code, kOk);
}

TEST_F(AdminTest, WithoutAConfiguredTokenNobodyIsAdmitted) {
  auto open = MakeService({.token = ""});
  for (const char* authorization : {"", "Bearer ", "Bearer x"}) {
    EXPECT_EQ(CallRaw(*open, kList, "", authorization).code, kUnauthenticated);
  }
}

TEST_F(AdminTest, TheTokenIsAskedForBeforeTheMethod) {
  EXPECT_EQ(CallRaw(*service_, "/xylem.v1.Admin/NoSuch", "", "").code, kUnauthenticated);
}

TEST_F(AdminTest, UnknownMethodsAreUnimplemented) {
  const std::string bearer = std::string("Bearer ") + kToken;
  for (const char* method :
       {"/xylem.v1.Admin/NoSuch", "/xylem.v1.Admin/", "/xylem.v1.Other/AddUser", "AddUser",
        "/xylem.v1.Admin/AddUser/", ""}) {
    EXPECT_EQ(CallRaw(*service_, method, "", bearer).code, kUnimplemented) << method;
  }
}

TEST_F(AdminTest, MalformedRequestsAreInvalid) {
  const std::string bearer = std::string("Bearer ") + kToken;
  for (const char* method :
       {"AddUser", "SetPassword", "DeleteUser", "LockUser", "GetUser", "ListUsers", "ListSessions",
        "KickSession", "ListManagers", "DrainManager", "PrintConfig", "Doctor"}) {
    Answered<std::string> answer =
        CallRaw(*service_, std::string("/xylem.v1.Admin/") + method, "\x0a\xff", bearer);
    EXPECT_EQ(answer.code, kInvalidArgument) << method;
    EXPECT_EQ(answer.response, "");
  }
}

TEST_F(AdminTest, TheConfigurationIsPrinted) {
  auto answer = Call<ConfigText>("PrintConfig", Empty());
  EXPECT_EQ(answer.code, kOk);
  EXPECT_EQ(answer.response.yaml(), "domains: [example.org]\n");
}

}  // namespace
}  // namespace business
