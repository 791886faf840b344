#pragma once

#include "tests/support/cli_process.hpp"
#include "tests/support/host_state.hpp"
#include "tests/support/lodge_host.hpp"

#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace lodge::test {

/// A container `beside` on which acts on another container must have no effect. It may also be
/// stopped, and must stay so.
class Bystander {
  public:
    /// Makes it.
    Bystander(const LodgeHost& host, const std::vector<std::string>& options);

    /// Begins the check, if the container runs and the check has not begun.
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
