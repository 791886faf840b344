#pragma once

#include "tests/support/lodge_host.hpp"
#include "tests/support/replaced_file.hpp"

#include <optional>
#include <string>
#include <vector>

namespace lodge::test {

/// A LodgeHost that can be booted.
class BootTest : public LodgeTest {
  protected:
    void TearDown() override {
        boot_id_.reset();
        LodgeTest::TearDown();
    }
    /// Creates a container with these options.
    void make(const std::string& name, const std::vector<std::string>& options) {
        std::vector<std::string> words{"create", name, "--template", "tiny"};
        words.insert(words.end(), options.begin(), options.end());
        const CliResult made = host->lodge(words);
        ASSERT_EQ(made.code, 0) << made.err << host->daemon_log();
    }
    /// Starts the next daemon, which sees another boot. Pre: no daemon runs.
    void boot(const std::string& id) {
        boot_id_.emplace("/proc/sys/kernel/random/boot_id", id + "\n");
        ASSERT_NO_FATAL_FAILURE(host->start_daemon());
    }

  private:
    std::optional<ReplacedFile> boot_id_;
};

} // namespace lodge::test
