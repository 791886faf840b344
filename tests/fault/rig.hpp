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

/// Writes an operation with its intended steps into the log, as a daemon that died leaves it. Pre:
/// no Rig has the world's database open.
void leave_in_log(const World& world, const daemon::LoggedOperation& left);

/// A daemon without its HTTP server on a fake host: the real services, engine, store and recovery.
/// The constructor is the start of a daemon, with recovery and the first check of the watcher. The
/// destructor is an orderly end.
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
    /// The result of the operation.
    [[nodiscard]] Status outcome(const Result<Uuid>& operation);
    /// Waits until no operation holds `resource`, not even one that has answered and only cleans
    /// up; then disarms the world. False: it stays busy.
    [[nodiscard]] bool settle(const std::string& resource);
    /// Collects inits that have ended, as the watcher of a daemon does, and returns after that.
    void watch();
    /// The whole state, sorted: the objects of the host, the rows, the containers with a known
    /// monitor, the objects that the daemon still holds open. Without UUIDs, so that two runs can
    /// be compared.
    [[nodiscard]] std::vector<std::string> ledger();
    [[nodiscard]] std::size_t unfinished() { return log_.unfinished().value().size(); }
    [[nodiscard]] std::string last_exit(const std::string& name);
    /// The report of recovery at the daemon's start.
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
