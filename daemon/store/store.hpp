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

/// A planned start of a container, on CLOCK_BOOTTIME in milliseconds.
struct PlannedStart {
    Uuid container;
    std::int64_t at = 0;
    bool operator==(const PlannedStart&) const = default;
};

/// Rows of containers. A row exists from the first step of a create; that operation's commit point
/// publishes it (makes it visible). One repository per database: it caches lists, so nothing else
/// may write these rows. Thread-safe.
class ContainerRepository {
  public:
    explicit ContainerRepository(db::Database& database) : database_(database) {}

    /// Inserts an unpublished row with its volumes and cards, durably. Pre: `keys` has the wrapped
    /// key of each volume. already_exists when the name, an address or the id range is taken;
    /// invalid_state when the template no longer exists.
    [[nodiscard]] Status insert(const model::Container& container, const model::SealedKeys& keys);
    [[nodiscard]] Status publish(const Uuid& uuid);
    /// Writes state, init, last exit and times, without fsync: these values do not outlive a boot.
    [[nodiscard]] Status update_state(const model::Container& container,
                                      const std::string& boot_id);
    /// Writes `last_error` alone. Missing: success.
    [[nodiscard]] Status note_error(const Uuid& uuid, const std::string& error);
    /// Writes `start_at` and `restarts` alone, if the row is stopped and its `start_at` is still
    /// `seen`. False: the row has changed since, and nothing is written. So a stop on request is
    /// not overwritten.
    [[nodiscard]] Result<bool> plan_start(const model::Container& container,
                                          std::optional<std::int64_t> seen);
    /// A published row, and the boot in which its state was written.
    struct BootRow {
        model::Container container;
        std::string boot_id;
    };
    using ChooseStarts = std::function<std::vector<PlannedStart>(std::vector<BootRow> rows)>;
    /// Replaces all planned starts by the starts that `choose` returns for the rows, and records
    /// that this boot was entered. No row changes between the read and the write. Returns the
    /// number of starts.
    [[nodiscard]] Result<std::size_t> enter_boot(const std::string& boot_id,
                                                 const ChooseStarts& choose);
    /// Whether the container runs, or will start without a request. False: there is no such row.
    [[nodiscard]] Result<bool> comes_up(const Uuid& uuid);
    /// The boot that was entered last. Empty: none.
    [[nodiscard]] Result<std::string> entered_boot();
    /// Writes the fields of the spec that `set` can change, durably.
    [[nodiscard]] Status update_spec(const Uuid& uuid, const model::ContainerSpec& spec);
    [[nodiscard]] Status remove(const Uuid& uuid);

    /// The published containers, in the order of their names. The list is kept until the next
    /// write, because callers ask for it often and reading thousands of rows each time is slow.
    [[nodiscard]] Result<std::vector<model::Container>> list();
    /// The stopped containers with a `start_at`.
    [[nodiscard]] Result<std::vector<model::Container>> planned_starts();
    [[nodiscard]] Result<model::Container> find(const std::string& name);
    /// Finds unpublished rows too.
    [[nodiscard]] Result<model::Container> find(const Uuid& uuid);
    [[nodiscard]] Result<std::vector<model::Container>> list_all();
    /// False also when there is no such row.
    [[nodiscard]] Result<bool> is_published(const Uuid& uuid);
    /// nullopt: there is no such row.
    [[nodiscard]] Result<std::optional<model::State>> state(const Uuid& uuid);
    [[nodiscard]] Result<std::string> sealed_key(const Uuid& volume);
    /// The columns that are no part of a container as users see it.
    struct Mark {
        bool published = false;
        std::string boot_id; ///< the boot in which the row's state was written
    };
    [[nodiscard]] Result<std::map<Uuid, Mark>> marks();
    /// The values of all rows, in order. They are kept after the first call, so that a create takes
    /// the same time whatever the number of containers.
    [[nodiscard]] Result<std::vector<model::IpAddress>> used_addresses();
    [[nodiscard]] Result<std::vector<std::uint32_t>> used_uid_bases();
    /// Sets the function that each remove() calls afterwards: the bytes of the sealed key are still
    /// in the log of the database then.
    void on_remove(std::function<void()> act);
    [[nodiscard]] Result<bool> uses_template(const std::string& digest);

  private:
    /// Every write of this table goes through here.
    [[nodiscard]] Status write(db::Durability durability,
                               const std::function<Status(db::Transaction&)>& body);
    /// Values that only one container can have.
    struct Taken {
        std::map<Uuid, std::uint32_t> owners; ///< the id ranges of containers
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
    std::optional<Taken> taken_; ///< absent: not read yet, or after a failed write
    std::function<void()> on_remove_;
};

/// Rows of templates: each a name with its image, init and halt signal. Thread-safe.
class TemplateRepository {
  public:
    explicit TemplateRepository(db::Database& database) : database_(database) {}
    [[nodiscard]] Status put(const templates::Template& made);
    /// busy when a container, finished or in creation, uses `digest`. Missing: success.
    [[nodiscard]] Status remove(const std::string& name, const std::string& digest);
    [[nodiscard]] Result<std::vector<templates::Template>> list();
    [[nodiscard]] Result<templates::Template> find(const std::string& name);

  private:
    db::Database& database_;
};

/// A step in the operation log: the act, and the object that it is done to. Two cards in one plan
/// are two steps of one name.
struct StepId {
    std::string name;
    std::string object; ///< such as "eth1"; empty: there is only one
    bool operator==(const StepId&) const = default;
    /// "attach eth1"
    [[nodiscard]] std::string to_string() const {
        return object.empty() ? name : name + " " + object;
    }
};

/// An entry of the operation log: an operation and the steps that it began. The log survives a kill
/// of the daemon, perhaps not a power cut: kernel objects do not outlive the host, and recovery
/// finds the other objects by a search.
struct LoggedOperation {
    Uuid id; ///< nil: the row has no valid id
    std::string verb;
    std::string resource;
    std::string arguments;        ///< of the verb's plan
    std::vector<StepId> intended; ///< steps whose intent was written, in order
    std::string boot_id;
};
class OperationLog {
  public:
    explicit OperationLog(db::Database& database) : database_(database) {}
    /// Writes the entry and removes any earlier entry of the same resource. A resource has one
    /// operation at a time, so the earlier one has ended and its end could not be written; running
    /// it again at recovery would undo the work of later operations.
    [[nodiscard]] Status begin(const LoggedOperation& operation);
    /// To be called before the step acts.
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
