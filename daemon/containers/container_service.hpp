#pragma once

#include "daemon/containers/parts.hpp"
#include "daemon/containers/verbs.hpp"
#include "daemon/services/containers.hpp"
#include "lib/model/verb.hpp"

#include <atomic>
#include <mutex>

namespace lodge::daemon {

/// The verbs of containers: checks what can be checked at once, then starts the operation.
/// Thread-safe.
class Containers final : public ContainerService {
  public:
    Containers(const Parts& parts, OperationEngine& engine) : parts_(parts), engine_(engine) {}

    Result<Uuid> create(const Caller& caller, CreateRequest request) override;
    Result<Uuid> start(const Caller& caller, const std::string& name) override;
    Result<Uuid>
    stop(const Caller& caller, const std::string& name, const StopRequest& request) override;
    Result<Uuid>
    restart(const Caller& caller, const std::string& name, const StopRequest& request) override;
    Result<Uuid> set_frozen(const Caller& caller, const std::string& name, bool frozen) override;
    Result<Uuid>
    set(const Caller& caller, const std::string& name, const model::SpecChange& change) override;
    Result<Uuid> destroy(const Caller& caller, const std::string& name, bool force) override;
    Status kill(const Caller& caller, const std::string& name, int signal_number) override;

    /// A stop by a shutdown of the host, with which the container comes up again. `deadline` bounds
    /// the graceful part, beside the configured time.
    [[nodiscard]] Result<Uuid> stop_with_host(const model::Container& container,
                                              const Deadline& deadline);

    /// Refuses start, restart and create with a start (invalid_state) while the host goes down: the
    /// containers would die with it.
    void refuse_starts(bool refuse) { refuses_starts_ = refuse; }

    /// Stops or restarts a container whose init ended by itself, as its `monitor` says, or whose
    /// monitor is gone. To be called again while the monitor stays in the registry: the call does
    /// nothing when an operation is in the way, the database fails, or all is done already. Once
    /// another monitor has its place, the news is of an earlier init and is ignored.
    void exited(const Uuid& container, const Monitor& monitor, const std::optional<InitExit>& exit);

  private:
    Result<model::Container> design(CreateRequest& request);
    Status assign_addresses(const model::ContainerSpec& spec, model::Card& card) const;
    Status assign_uid_base(model::Container& container) const;
    Status check_limits(const model::Resources& resources) const;
    using Judge = std::function<Status(const model::Container& now)>;
    /// Refused as the table of states says, or else as `judge` does.
    Result<Uuid> submit(const ContainerVerb& verb, VerbInput input, const Judge& judge = {});
    Result<VerbInput> input_of(const std::string& name);
    [[nodiscard]] Status is_welcome(const ContainerVerb& verb) const;
    void look_again(const Uuid& uuid);

    const Parts& parts_;
    OperationEngine& engine_;
    std::atomic<bool> refuses_starts_ = false;
    std::mutex designing_; ///< two creates must not choose the same address or id range
    std::map<Uuid, model::Container>
        designed_; ///< chosen but perhaps not inserted yet; by designing_
};

} // namespace lodge::daemon
