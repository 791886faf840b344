#pragma once

#include "daemon/api/incoming.hpp"
#include "daemon/api/open_lines.hpp"
#include "daemon/api/waiting_room.hpp"
#include "daemon/services/caller.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lodge::daemon {

/// The parts that all exchanges of a server share.
struct Hall {
    WaitingRoom seats;
    WaitingRoom archives; ///< archives that stream in, each with an operation that waits for it
    WaitingRoom commands; ///< bodies of more than kLargestBody, until they are served
    OpenLines lines;
};

/// One request and its answer, as routes see them. Lives for one request, in one thread.
class Exchange {
  public:
    Exchange(Incoming incoming, Caller caller, Hall& hall);
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    /// Set when the head is malformed: there is no request.
    [[nodiscard]] const std::optional<Error>& refusal() const { return refusal_; }
    [[nodiscard]] const std::string& method() const { return incoming_.head().method; }
    /// The path's parts behind /v1, decoded.
    [[nodiscard]] const std::vector<std::string>& path() const { return path_; }
    [[nodiscard]] const Caller& caller() const { return caller_; }
    [[nodiscard]] std::optional<std::string> query(const std::string& key) const;
    /// Checks that the parameters are among `known` and none is repeated.
    [[nodiscard]] Status check_query(const std::vector<std::string>& known) const;
    [[nodiscard]] bool asks_for_session() const;
    /// A request holds it while it waits for something that may take long. resource_exhausted when
    /// too many requests wait.
    [[nodiscard]] Result<WaitingRoom::Seat> sit_down();

    /// A request holds it while its body streams in. resource_exhausted when too many do.
    [[nodiscard]] Result<WaitingRoom::Seat> take_archive();

    /// Success if the body came whole and has at most 1 MiB. If not, the route must do nothing.
    [[nodiscard]] Status check_body();
    /// The same for the words of a command, up to 4 MiB. It fetches the rest of the body, within a
    /// deadline and for a bounded number of requests at once.
    [[nodiscard]] Status fetch_command();
    /// The body as a JSON object. Pre: check_body() or fetch_command().
    [[nodiscard]] Result<nlohmann::json> body();
    /// Copies the whole body, of any length, into `fd`. Fails when it does not come whole. Stops
    /// without an error when nobody reads from `fd`.
    [[nodiscard]] Status copy_body_to(int fd);

    void reply(int status, const nlohmann::json& body);
    /// The same for the text of a JSON value.
    void reply_json(int status, const std::string& body);
    void reply_error(const Error& error);
    /// Answers with a stream of JSON lines: calls `next` until it returns nullopt, and then closes
    /// the connection. The client may close it at any time.
    void reply_lines(const std::function<std::optional<std::string>()>& next);
    /// Answers 101 and passes the connection to the caller.
    [[nodiscard]] Result<UniqueFd> take_connection();
    [[nodiscard]] bool answered() const { return answered_; }

    /// The connection and the rest of the answer, after the request has been served; empty if there
    /// is none.
    [[nodiscard]] std::pair<UniqueFd, std::string> finish();

  private:
    [[nodiscard]] bool send(std::string_view bytes) const;
    [[nodiscard]] std::unexpected<Error> refuse_size(const char* most);

    Incoming incoming_;
    Caller caller_;
    Hall& hall_;
    std::optional<Error> refusal_;
    std::vector<std::string> path_;
    std::vector<std::pair<std::string, std::string>> query_;
    WaitingRoom::Seat command_; ///< of hall_.commands
    bool too_large_ = false;    ///< the body was refused for its size
    bool answered_ = false;
    std::string answer_;
};

} // namespace lodge::daemon
