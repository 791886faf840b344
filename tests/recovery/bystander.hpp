#pragma once

#include "tests/support/cli_process.hpp"
#include "tests/support/host_state.hpp"
#include "tests/support/lodge_host.hpp"

#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace lodge::test {

/// A container `beside` that must not notice what is done to another one; also one that does not
/// run, and must not.
class Bystander {
  public:
    /// Makes it.
    Bystander(const LodgeHost& host, const std::vector<std::string>& options);

    /// From now on it must not notice, if it runs and is not looked at already.
    void look();
    [[nodiscard]] bool is_as_before() const { return family() == family_ && !has_lost_session(); }
    [[nodiscard]] bool runs() const { return !family().empty(); }
    /// 0: it does not run.
    [[nodiscard]] pid_t monitor() const { return family_.empty() ? 0 : family_.front().pid; }

  private:
    [[nodiscard]] std::vector<ProcessIdentity> family() const;
    [[nodiscard]] bool has_lost_session() const { return session_ && !session_->running(); }

    const LodgeHost& host_;
    std::unique_ptr<CliProcess> session_;
    std::vector<ProcessIdentity> family_;
};

} // namespace lodge::test
