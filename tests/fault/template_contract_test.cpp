// Runs the contract of the template store on the fake one.
#include "tests/contract/templates.hpp"
#include "tests/fault/fakes.hpp"
#include "tests/support/temp_dir.hpp"

#include <memory>

namespace lodge::test {

namespace {

class FakeTemplates : public ::testing::Test {
  protected:
    templates::TemplateStore& store() { return *store_; }
    Result<templates::Template> import() {
        return store_->import("mine", -1, {.id = "01", .progress = [](const std::string&) {}});
    }

  private:
    TempDir directory_;
    World world_{directory_.path()};
    std::unique_ptr<templates::TemplateStore> store_ = fake_templates(world_);
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, TemplateContract, FakeTemplates);

} // namespace

} // namespace lodge::test
