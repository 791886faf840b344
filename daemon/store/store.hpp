#pragma once

#include "daemon/store/kept_while_unchanged.hpp"
#include "lib/base/error.hpp"
#include "lib/base/uuid.hpp"
#include "lib/db/database.hpp"
#include "lib/model/container.hpp"
#include "templates/template_store.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lodge::daemon {

/// That a container is to be started: CLOCK_BOOTTIME in milliseconds.
struct PlannedStart {
    Uuid container;
    std::int64_t at = 0;
    bool operator==(const PlannedStart&) const = default;
};

/// Rows of containers. A row exists from the first step of a create; it is published (visible) at
/// that operation's commit point. One for a database, as nobody else may write its rows.
/// Thread-safe.
class ContainerRepository {
  public:
    explicit ContainerRepository(db::Database& database) : database_(database) {}

    /// Inserts an unpublished row with its addresses and its sealed volume key, durably.
    /// already_exists when the name, an address or the id range is taken; invalid_state when
    /// there is no such template any more.
    [[nodiscard]] Status insert(const model::Container& container, const std::string& sealed_key);
    [[nodiscard]] Status publish(const Uuid& uuid);
    /// Writes state, init, last exit and times. They do not outlive a boot, so they need no fsync.
    [[nodiscard]] Status update_state(const model::Container& container,
                                      const std::string& boot_id);
    /// Writes `last_error` alone. Missing: success.
    [[nodiscard]] Status note_error(const Uuid& uuid, const std::string& error);
    /// Writes `start_at` and `restarts` alone, if the row is stopped and its `start_at` still is
    /// `seen`; else somebody took care of it meanwhile, and false is returned: a person's stop must
    /// not be written over.
    [[nodiscard]] Result<bool> plan_start(const model::Container& container,
                                          std::optional<std::int64_t> seen);
    /// A published row, and the boot in which its state was written.
    struct BootRow {
        model::Container container;
        std::string boot_id;
    };
    using ChooseStarts = std::function<std::vector<PlannedStart>(std::vector<BootRow> rows)>;
    /// Writes what a boot is to start, as `choose` says of the rows, in place of all that was
    /// planned before, and that this boot was entered. No row changes between the look and the
    /// write. Returns the number of starts.
    [[nodiscard]] Result<std::size_t> enter_boot(const std::string& boot_id,
                                                 const ChooseStarts& choose);
    /// Whether it is up, or is to come up by itself; false: there is no such row.
    [[nodiscard]] Result<bool> comes_up(const Uuid& uuid);
    /// The boot that was entered last; empty: none ever was.
    [[nodiscard]] Result<std::string> entered_boot();
    /// Writes what `set` can change of the spec, durably.
    [[nodiscard]] Status update_spec(const Uuid& uuid, const model::ContainerSpec& spec);
    [[nodiscard]] Status remove(const Uuid& uuid);

    /// Those that are published, in the order of their names. Kept until the next write: asked for
    /// again and again, thousands of rows would be read each time.
    [[nodiscard]] Result<std::vector<model::Container>> list();
    /// Stopped ones that have a `start_at`.
    [[nodiscard]] Result<std::vector<model::Container>> planned_starts();
    [[nodiscard]] Result<model::Container> find(const std::string& name);
    /// Unpublished ones too.
    [[nodiscard]] Result<model::Container> find(const Uuid& uuid);
    [[nodiscard]] Result<std::vector<model::Container>> list_all();
    /// False too when there is no such row.
    [[nodiscard]] Result<bool> is_published(const Uuid& uuid);
    /// None: there is no such row.
    [[nodiscard]] Result<std::optional<model::State>> state(const Uuid& uuid);
    [[nodiscard]] Result<std::string> sealed_key(const Uuid& uuid);
    /// What of all rows is no part of a container as users see it.
    struct Mark {
        bool published = false;
        std::string boot_id; ///< the boot in which the row's state was written
    };
    [[nodiscard]] Result<std::map<Uuid, Mark>> marks();
    /// Of all rows, in order. Known once they were asked for: a create costs the same however many
    /// neighbours there are.
    [[nodiscard]] Result<std::vector<model::IpAddress>> used_addresses();
    [[nodiscard]] Result<std::vector<std::uint32_t>> used_uid_bases();
    /// `act` is called behind each remove(): the bytes of a sealed key are still in the log of the
    /// database then.
    void on_remove(std::function<void()> act);
    [[nodiscard]] Result<bool> uses_template(const std::string& digest);

  private:
    /// Every write of this table goes through here.
    [[nodiscard]] Status write(db::Durability durability,
                               const std::function<Status(db::Transaction&)>& body);
    /// What only one container can have.
    struct Taken {
        std::map<Uuid, std::uint32_t> owners; ///< to their id ranges
        std::set<std::uint32_t> uid_bases;
        std::map<Uuid, std::vector<model::IpAddress>> addresses_of;
        std::set<model::IpAddress> addresses;
        void add(const Uuid& uuid, std::uint32_t uid_base);
        void add(const Uuid& uuid, const model::IpAddress& address);
        void remove(const Uuid& uuid);
    };
    [[nodiscard]] Status know_taken(); ///< Pre: taking_ is held

    db::Database& database_;
    KeptWhileUnchanged<std::vector<model::Container>> list_;
    std::mutex taking_;          ///< protects all below
    std::optional<Taken> taken_; ///< none: not asked for yet, or a write failed, perhaps in part
    std::function<void()> on_remove_;
};

/// Names of templates and what they stand for. Thread-safe.
class TemplateRepository {
  public:
    explicit TemplateRepository(db::Database& database) : database_(database) {}
    [[nodiscard]] Status put(const templates::Template& made);
    /// busy when a container is made of `digest`, in creation or not. Missing: success.
    [[nodiscard]] Status remove(const std::string& name, const std::string& digest);
    [[nodiscard]] Result<std::vector<templates::Template>> list();
    [[nodiscard]] Result<templates::Template> find(const std::string& name);

  private:
    db::Database& database_;
};

/// The operation log: what was begun and how far it came. Process-durable: kernel objects die with
/// the host, and what outlives it is found by the sweep.
/// A step in the log of operations: what is done, and to which of several. Two cards in one plan
/// are two steps of one name.
struct StepId {
    std::string name;
    std::string object; ///< such as "eth1"; empty: there is but one
    bool operator==(const StepId&) const = default;
    /// "attach eth1"
    [[nodiscard]] std::string to_string() const {
        return object.empty() ? name : name + " " + object;
    }
};

struct LoggedOperation {
    Uuid id; ///< nil: what stands there is none
    std::string verb;
    std::string resource;
    std::string arguments;        ///< as the verb's plan needs them
    std::vector<StepId> intended; ///< steps whose intent was written, in order
    std::string boot_id;
};
class OperationLog {
  public:
    explicit OperationLog(db::Database& database) : database_(database) {}
    /// A resource has one operation at a time: an earlier one whose end could not be written has
    /// ended, and running it again at recovery would undo what came after it.
    [[nodiscard]] Status begin(const LoggedOperation& operation);
    /// Written before the step acts.
    [[nodiscard]] Status intend(const Uuid& id, const StepId& step);
    [[nodiscard]] Status end(const Uuid& id);
    [[nodiscard]] Result<std::vector<LoggedOperation>> unfinished();

  private:
    db::Database& database_;
};

/// Opens STATE/lodge.db with this release's schema. `before`: see db::open_database().
[[nodiscard]] Result<std::unique_ptr<db::Database>>
open_store(const std::string& path, const db::BeforeMigration& before = {});

} // namespace lodge::daemon
