#include "daemon/api/exchange.hpp"

#include "daemon/api/answer.hpp"
#include "lib/api/json.hpp"
#include "lib/base/clock.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/session/session.hpp"

#include <Poco/Exception.h>
#include <Poco/URI.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <sstream>

#include <poll.h>
#include <sys/socket.h>

namespace lodge::daemon {

namespace {

constexpr auto kPatience = std::chrono::seconds(30);
// The kernel accepts two MiB of words (man 2 execve). In the JSON that `lodge` writes they are a
// little less than twice as long.
constexpr std::size_t kLargestCommand = std::size_t{4} << 20;
// For the whole body, so that a slow sender does not keep others from a place.
constexpr auto kCommandPatience = std::chrono::seconds(10);
constexpr const char* kBreak = "\r\n";

std::string as_chunk(const std::string& content) {
    std::ostringstream text;
    text << std::hex << content.size() << kBreak << content << kBreak;
    return text.str();
}

} // namespace

Exchange::Exchange(Incoming incoming, Caller caller, Hall& hall)
    : incoming_(std::move(incoming)), caller_(caller), hall_(hall), refusal_(incoming_.refusal()) {
    hall_.lines.add(incoming_.fd());
    try {
        const Poco::URI uri(incoming_.head().target);
        uri.getPathSegments(path_);
        for (const auto& [key, value] : uri.getQueryParameters()) {
            query_.emplace_back(key, value);
        }
    } catch (const Poco::SyntaxException&) {
        refusal_ = Error(ErrorCode::invalid_argument, "the request line is malformed");
    }
    if (!path_.empty() && path_.front() == "v1") {
        path_.erase(path_.begin());
    } else {
        path_ = {"", ""}; // no route has such a path
    }
}

Exchange::~Exchange() {
    hall_.lines.remove(incoming_.fd());
}

std::optional<std::string> Exchange::query(const std::string& key) const {
    for (const auto& [name, value] : query_) {
        if (name == key) {
            return value;
        }
    }
    return std::nullopt;
}

Status Exchange::check_query(const std::vector<std::string>& known) const {
    for (auto at = query_.begin(); at != query_.end(); ++at) {
        const std::string& name = at->first;
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            return fail(ErrorCode::invalid_argument, "the parameter '" + name + "' is unknown");
        }
        if (std::any_of(
                query_.begin(), at, [&](const auto& other) { return other.first == name; })) {
            return fail(ErrorCode::invalid_argument, "the parameter '" + name + "' stands twice");
        }
    }
    return {};
}

bool Exchange::asks_for_session() const {
    const auto upgrade = incoming_.head().fields.find("upgrade");
    return upgrade != incoming_.head().fields.end() && upgrade->second == session::kUpgradeToken;
}

Result<WaitingRoom::Seat> Exchange::sit_down() {
    if (auto seat = hall_.seats.enter()) {
        return seat;
    }
    return fail(ErrorCode::resource_exhausted,
                "too many requests wait already (for operations, containers or events): ask again "
                "when some have ended");
}

Result<WaitingRoom::Seat> Exchange::take_archive() {
    if (auto seat = hall_.archives.enter()) {
        return seat;
    }
    return fail(ErrorCode::resource_exhausted,
                "too many archives are on their way in already: try again when some have come");
}

std::unexpected<Error> Exchange::refuse_size(const char* most) {
    too_large_ = true;
    return fail(ErrorCode::resource_exhausted,
                std::string("the request's body is larger than ") + most);
}

Status Exchange::check_body() {
    return incoming_.is_too_large() ? refuse_size("1 MiB") : incoming_.whole();
}

Status Exchange::fetch_command() {
    if (!incoming_.is_too_large()) {
        return incoming_.whole();
    }
    command_ = hall_.commands.enter();
    if (!command_) {
        return fail(ErrorCode::resource_exhausted,
                    "too many commands of more than 1 MiB are on their way in already: try again");
    }
    const Deadline deadline = Deadline::after(kCommandPatience);
    while (incoming_.body_size() <= kLargestCommand && incoming_.has_more()) {
        RETURN_IF_ERROR(incoming_.read_on(deadline));
    }
    return incoming_.body_size() > kLargestCommand ? refuse_size("4 MiB") : incoming_.whole();
}

Result<nlohmann::json> Exchange::body() {
    return api::parse_object(incoming_.content());
}

Status Exchange::copy_body_to(int fd) {
    while (true) {
        if (!kernel::write_all(fd, incoming_.content())) {
            return {};
        }
        incoming_.content().clear();
        if (!incoming_.has_more()) {
            return incoming_.whole();
        }
        RETURN_IF_ERROR(incoming_.read_on(Deadline::after(kPatience)));
    }
}

void Exchange::reply(int status, const nlohmann::json& body) {
    reply_json(status, api::to_text(body) + "\n");
}

void Exchange::reply_json(int status, const std::string& body) {
    answered_ = true;
    answer_ = answer_text(status, body);
}

void Exchange::reply_error(const Error& error) {
    constexpr int kTooLarge = 413;
    reply(too_large_ ? kTooLarge : api::http_status(error.code()), api::to_json(error));
}

// False: the client is gone.
bool Exchange::send(std::string_view bytes) const {
    while (!bytes.empty()) {
        const ssize_t sent =
            ::send(incoming_.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
            continue;
        }
        pollfd wait{.fd = incoming_.fd(), .events = POLLOUT, .revents = 0};
        const Deadline deadline = Deadline::after(kPatience);
        if (errno == EAGAIN ? ::poll(&wait, 1, deadline.poll_timeout()) == 0 : errno != EINTR) {
            return false;
        }
    }
    return true;
}

void Exchange::reply_lines(const std::function<std::optional<std::string>()>& next) {
    answered_ = true;
    constexpr int kGood = 200;
    bool taken = send(answer_head(kGood,
                                  "Content-Type: application/x-ndjson\r\nTransfer-Encoding: "
                                  "chunked\r\nConnection: close\r\n"));
    while (taken) {
        const auto line = next();
        taken = line && send(as_chunk(*line + "\n"));
    }
}

Result<UniqueFd> Exchange::take_connection() {
    constexpr int kSwitching = 101;
    answered_ = true;
    if (!send(answer_head(kSwitching,
                          std::string("Connection: Upgrade\r\nUpgrade: ") + session::kUpgradeToken +
                              "\r\n"))) {
        return fail(ErrorCode::cancelled, "the client is gone");
    }
    hall_.lines.remove(incoming_.fd());
    return incoming_.take_socket();
}

std::pair<UniqueFd, std::string> Exchange::finish() {
    hall_.lines.remove(incoming_.fd());
    return {incoming_.take_socket(), std::move(answer_)};
}

} // namespace lodge::daemon
