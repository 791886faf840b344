#pragma once

#include "daemon/api/incoming.hpp"
#include "daemon/api/open_lines.hpp"
#include "daemon/api/waiting_room.hpp"
#include "daemon/services.hpp"
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

/// What all exchanges of a server share.
struct Hall {
    WaitingRoom seats;
    WaitingRoom archives; ///< on their way in: each holds an operation for as long as it takes
    WaitingRoom commands; ///< of more than kLargestBody, from their coming in until they are served
    OpenLines lines;
};

/// One request and its answer, as routes see them. Lives for one request, in one thread.
class Exchange {
  public:
    Exchange(Incoming incoming, Caller caller, Hall& hall);
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    /// Why there is no request: its head makes no sense.
    [[nodiscard]] const std::optional<Error>& refusal() const { return refusal_; }
    [[nodiscard]] const std::string& method() const { return incoming_.head().method; }
    /// The path's parts behind /v1, decoded.
    [[nodiscard]] const std::vector<std::string>& path() const { return path_; }
    [[nodiscard]] const Caller& caller() const { return caller_; }
    [[nodiscard]] std::optional<std::string> query(const std::string& key) const;
    /// The parameters must be among `known`, and none stand twice.
    [[nodiscard]] Status check_query(const std::vector<std::string>& known) const;
    [[nodiscard]] bool asks_for_session() const;
    /// To be held by a request while it waits for what may take long; resource_exhausted when too
    /// many do.
    [[nodiscard]] Result<WaitingRoom::Seat> sit_down();

    /// To be held while a body streams in; resource_exhausted when too many do.
    [[nodiscard]] Result<WaitingRoom::Seat> take_archive();

    /// Whether the body came whole and is no larger than 1 MiB; if not, nothing may be done.
    [[nodiscard]] Status check_body();
    /// The same of a command's words, which may have 4 MiB: fetches what has not come yet, which
    /// the server does for so many at once and for so long.
    [[nodiscard]] Status fetch_command();
    /// The body as a JSON object. Pre: one of the two.
    [[nodiscard]] Result<nlohmann::json> body();
    /// Copies the whole body, of any length, into `fd`. Fails when it does not come whole; stops
    /// without an error when nobody reads there.
    [[nodiscard]] Status copy_body_to(int fd);

    void reply(int status, const nlohmann::json& body);
    /// The same with JSON that is text already.
    void reply_json(int status, const std::string& body);
    void reply_error(const Error& error);
    /// A stream of JSON lines: `next` gives them until it returns nullopt, on which the connection
    /// is broken off; the client may go any time.
    void reply_lines(const std::function<std::optional<std::string>()>& next);
    /// Answers 101 and gives the connection up.
    [[nodiscard]] Result<UniqueFd> take_connection();
    [[nodiscard]] bool answered() const { return answered_; }

    /// The connection and what is to be sent over it, once the request has been served. Empty where
    /// nothing is.
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
    bool too_large_ = false;    ///< the body was refused for it
    bool answered_ = false;
    std::string answer_;
};

} // namespace lodge::daemon
