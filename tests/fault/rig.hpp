#pragma once

#include "daemon/containers/container_service.hpp"
#include "daemon/containers/container_views.hpp"
#include "daemon/images/template_service.hpp"
#include "daemon/recovery/check.hpp"
#include "daemon/recovery/recovery.hpp"
#include "tests/fault/fakes.hpp"
#include "tests/fault/world.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lodge::test {

/// Writes an operation with its intended steps into the log, as a daemon that died has left it.
/// Pre: no Rig has the world's database open.
void leave_in_log(const World& world, const daemon::LoggedOperation& left);

/// A daemon without its front on a fake host: the real services, engine, store and recovery.
/// Building it is a daemon's start, recovery and the watcher's first look included; destroying it
/// an orderly end.
class Rig {
  public:
    explicit Rig(World& world);

    World& world() { return world_; }
    daemon::Containers& containers() { return containers_; }
    daemon::ContainerViews& views() { return views_; }
    daemon::Templates& templates() { return templates_; }
    daemon::HostCheck& check() { return check_; }
    const daemon::Parts& parts() const { return parts_; }
    daemon::EventBus& events() { return events_; }
    daemon::OperationEngine& engine() { return engine_; }
    /// How the operation ended.
    [[nodiscard]] Status outcome(const Result<Uuid>& operation);
    /// Waits until no operation holds `resource`, be it one that has answered and cleans up behind
    /// itself, then disarms the world. False: it stays busy.
    [[nodiscard]] bool settle(const std::string& resource);
    /// What a daemon's watcher does about inits that have ended; returns when that was done.
    void watch();
    /// All there is, sorted: what the host has, the rows, whose monitors are known, what the daemon
    /// still holds open. UUIDs are left out, so that two runs compare.
    [[nodiscard]] std::vector<std::string> ledger();
    [[nodiscard]] std::size_t unfinished() { return log_.unfinished().value().size(); }
    [[nodiscard]] std::string last_exit(const std::string& name);
    /// What the daemon's start found and did.
    [[nodiscard]] const daemon::RecoveryReport& recovered() const { return recovered_; }
    daemon::MonitorRegistry& monitors() { return monitors_; }

  private:
    World& world_;
    daemon::Settings settings_;
    std::unique_ptr<db::Database> real_;
    std::unique_ptr<db::Database> database_;
    daemon::ContainerRepository container_rows_{*database_};
    daemon::TemplateRepository template_rows_{*database_};
    daemon::OperationLog log_{*database_};
    storage::Drivers volumes_;
    std::unique_ptr<storage::KeyProvider> keys_ = fake_keys(world_);
    std::unique_ptr<network::LinkDriver> links_ = fake_links(world_);
    std::unique_ptr<network::FirewallDriver> firewall_ = fake_firewall(world_);
    std::unique_ptr<cgroup::GroupManager> groups_ = fake_groups(world_);
    std::unique_ptr<templates::TemplateStore> store_ = fake_templates(world_);
    std::unique_ptr<daemon::Runtime> runtime_ = fake_runtime(world_);
    daemon::MonitorRegistry monitors_;
    daemon::EventBus events_;
    daemon::Parts parts_;
    daemon::OperationEngine engine_;
    daemon::Containers containers_{parts_, engine_};
    daemon::ContainerViews views_{parts_, engine_};
    daemon::Templates templates_{parts_, engine_};
    daemon::HostCheck check_{parts_, engine_, log_, templates_};
    daemon::RecoveryReport recovered_;
};

} // namespace lodge::test
