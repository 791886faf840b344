#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace lodge::cli {

/// A request to lodged for which this command waits. While an object exists, the first SIGINT or
/// SIGTERM prints on stderr, for each request, how it continues without the command; then it ends
/// the process with the signal's default action. The second signal ends the process at once. A
/// signal that is ignored stays ignored. Thread-safe.
class Underway {
  public:
    /// `unknown`: the text before know().
    explicit Underway(std::string unknown);
    ~Underway();
    Underway(const Underway&) = delete;
    Underway& operator=(const Underway&) = delete;

    /// The request has become this operation of the API.
    void know(const nlohmann::json& operation);

  private:
    std::string sentence_;
};

/// The text about a running operation whose command ends.
[[nodiscard]] std::string goes_on(const nlohmann::json& operation);

} // namespace lodge::cli
