#include <gmock/gmock.h>

#include "tests/business/admin/admin_fixture.h"

namespace business {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using xylem::v1::DomainList;
using xylem::v1::DomainRequest;
using xylem::v1::Empty;

class DomainMethodsTest : public AdminTest {
 protected:
  Answered<DomainList> Ask(const std::string& method, const std::string& name) {
    DomainRequest request;
    request.set_name(name);
    return Call<DomainList>(method, request);
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const auto listed = Call<DomainList>("ListDomains", Empty());
    for (const auto& domain : listed.response.domains()) {
      names.push_back(domain.name() + (domain.configured() ? " configured" : "") +
                      (domain.added() != 0 ? " added" : ""));
    }
    return names;
  }
};

TEST_F(DomainMethodsTest, AddListAndDelete) {
  EXPECT_THAT(Names(), ElementsAre("example.org configured", "example.net configured"));
  EXPECT_EQ(Ask("AddDomain", "MANTUA.example").code, kOk);
  EXPECT_EQ(domain_changes_, 1);
  EXPECT_THAT(Names(), ElementsAre("example.org configured", "example.net configured",
                                   "mantua.example added"));
  EXPECT_EQ(Ask("DeleteDomain", "mantua.example").code, kOk);
  EXPECT_EQ(domain_changes_, 2);
  EXPECT_THAT(Names(), ElementsAre("example.org configured", "example.net configured"));
}

TEST_F(DomainMethodsTest, RefuseWhatIsThereAlready) {
  EXPECT_EQ(Ask("AddDomain", "mantua.example").code, kOk);
  for (const char* name : {"mantua.example", "Mantua.Example", "example.org", "EXAMPLE.net"}) {
    const auto answer = Ask("AddDomain", name);
    EXPECT_EQ(answer.code, kAlreadyExists) << name;
    EXPECT_THAT(answer.message, HasSubstr("is served already"));
  }
  EXPECT_EQ(domain_changes_, 1);
}

TEST_F(DomainMethodsTest, RefuseWhatIsNoDomain) {
  for (const char* name : {"", "a..b", "not a domain", "a@b.example", "b.example/c", "\x01.example",
                           "127.0.0.1", "[::1]", "-"}) {
    for (const char* method : {"AddDomain", "DeleteDomain"}) {
      const auto answer = Ask(method, name);
      EXPECT_TRUE(answer.code == kInvalidArgument || answer.code == kNotFound) << name;
    }
    EXPECT_EQ(Ask("AddDomain", name).code, kInvalidArgument) << name;
  }
  EXPECT_EQ(domain_changes_, 0);
}

TEST_F(DomainMethodsTest, DeleteOnlyWhatWasAdded) {
  const auto configured = Ask("DeleteDomain", "example.org");
  EXPECT_EQ(configured.code, kInvalidArgument);
  EXPECT_THAT(configured.message, HasSubstr("configuration"));
  EXPECT_EQ(Ask("DeleteDomain", "verona.example").code, kNotFound);
  EXPECT_EQ(domain_changes_, 0);
}

TEST_F(DomainMethodsTest, TheStoreIsChecked) {
  const auto answer = Call<xylem::v1::StoreReport>("CheckStore", Empty());
  EXPECT_EQ(answer.code, kOk);
  EXPECT_THAT(answer.response.engine(), HasSubstr("SQLite"));
  EXPECT_EQ(answer.response.schema(), answer.response.known());
  EXPECT_EQ(answer.response.faults_size(), 0);
  EXPECT_GT(answer.response.write_us(), 0u);
}

}  // namespace
}  // namespace business
