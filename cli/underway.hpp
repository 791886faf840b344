#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace lodge::cli {

/// What this command has asked of lodged and waits for. While one lives, the first SIGINT or
/// SIGTERM says of each how it goes on without the command, on stderr, and then ends the process as
/// the signal does by itself; the second ends it at once. A signal that is ignored stays ignored.
/// Thread-safe.
class Underway {
  public:
    /// `unknown`: what is said before know().
    explicit Underway(std::string unknown);
    ~Underway();
    Underway(const Underway&) = delete;
    Underway& operator=(const Underway&) = delete;

    /// It runs as this operation of the API.
    void know(const nlohmann::json& operation);

  private:
    std::string sentence_;
};

/// What is said of a running operation whose command ends.
[[nodiscard]] std::string goes_on(const nlohmann::json& operation);

} // namespace lodge::cli
