#pragma once

#include "daemon/api/waiting_room.hpp"
#include "daemon/services.hpp"
#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace Poco::Net {
class HTTPServerRequest;
class HTTPServerResponse;
} // namespace Poco::Net

namespace lodge::daemon {

/// One request and its answer, as routes see them. Lives for one request, in one thread.
class Exchange {
  public:
    Exchange(Poco::Net::HTTPServerRequest& request,
             Poco::Net::HTTPServerResponse& response,
             Caller caller,
             WaitingRoom& waiting_room);

    /// Whether the request line makes sense: a URI, and a version that we speak.
    [[nodiscard]] bool well_formed() const { return well_formed_; }
    [[nodiscard]] const std::string& method() const { return method_; }
    /// The path's parts behind /v1, decoded.
    [[nodiscard]] const std::vector<std::string>& path() const { return path_; }
    [[nodiscard]] const Caller& caller() const { return caller_; }
    [[nodiscard]] std::optional<std::string> query(const std::string& key) const;
    [[nodiscard]] bool asks_for_session() const;
    /// To be held by a request while it waits for what may take long; resource_exhausted when too
    /// many do.
    [[nodiscard]] Result<WaitingRoom::Seat> sit_down();

    /// The body as a JSON object; resource_exhausted past 1 MiB.
    [[nodiscard]] Result<nlohmann::json> body();
    /// Copies the whole body, of any length, into `fd`. Stops without an error when nobody reads
    /// there.
    void copy_body_to(int fd);

    void reply(int status, const nlohmann::json& body);
    void reply_error(const Error& error);
    /// A stream of JSON lines: `next` gives them until it returns nullopt; the client may go any
    /// time.
    void reply_lines(const std::function<std::optional<std::string>()>& next);
    /// Answers 101 and gives the connection up.
    [[nodiscard]] Result<UniqueFd> take_connection();
    [[nodiscard]] bool answered() const { return answered_; }

  private:
    Poco::Net::HTTPServerRequest& request_;
    Poco::Net::HTTPServerResponse& response_;
    Caller caller_;
    WaitingRoom& waiting_room_;
    std::string method_;
    std::vector<std::string> path_;
    std::vector<std::pair<std::string, std::string>> query_;
    bool well_formed_ = true;
    bool answered_ = false;
};

} // namespace lodge::daemon
