// The real store of templates is held to what the fake of tests/fault is.
#include "lib/kernel/fs.hpp"
#include "lib/kernel/program.hpp"
#include "tests/contract/templates.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/requires.hpp"
#include "tests/support/temp_dir.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include <fcntl.h>

namespace lodge::test {

namespace {

class RealTemplates : public LeakChecked {
  protected:
    void SetUp() override {
        REQUIRES("erofs");
        LeakChecked::SetUp();
        directory_.emplace();
        store_ = templates::make_template_store({.directory = directory_->path() + "/store",
                                                 .run_directory = directory_->path() + "/run",
                                                 .unpack_program = LODGE_BIN_DIR "/lodge-unpack"});
    }
    void TearDown() override {
        if (!store_) {
            return;
        }
        if (const auto mounted = store_->mount_points()) {
            for (const std::string& digest : *mounted) {
                EXPECT_TRUE(store_->unmount(digest));
            }
        }
        store_.reset();
        directory_.reset();
        LeakChecked::TearDown();
    }
    templates::TemplateStore& store() { return *store_; }
    Result<templates::Template> import() {
        const std::string tree = directory_->path() + "/tree";
        std::filesystem::create_directories(tree + "/sbin");
        std::filesystem::create_directories(tree + "/etc");
        std::ofstream(tree + "/sbin/init") << "#!init";
        std::filesystem::permissions(tree + "/sbin/init", std::filesystem::perms{0755});
        const std::string tar = directory_->path() + "/tree.tar";
        RETURN_IF_ERROR(
            kernel::run_program({.path = "tar",
                                 .arguments = {"-cf", tar, "-C", tree, "."},
                                 .deadline = Deadline::after(patience(std::chrono::seconds(20)))}));
        ASSIGN_OR_RETURN(const UniqueFd archive, kernel::open_file(tar, O_RDONLY));
        return store_->import(
            "mine", archive.get(), {.id = "01", .progress = [](const std::string&) {}});
    }

  private:
    std::optional<TempDir> directory_;
    std::unique_ptr<templates::TemplateStore> store_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Real, TemplateContract, RealTemplates);

} // namespace

} // namespace lodge::test
