#include "daemon/api/exchange.hpp"

#include "lib/api/json.hpp"
#include "lib/kernel/fs.hpp"
#include "lib/session/session.hpp"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPServerRequestImpl.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/URI.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

constexpr std::size_t kLargestBody = std::size_t{1} << 20;

std::unexpected<Error> too_large() {
    return fail(ErrorCode::resource_exhausted, "the request's body is larger than 1 MiB");
}

} // namespace

Exchange::Exchange(Poco::Net::HTTPServerRequest& request,
                   Poco::Net::HTTPServerResponse& response,
                   Caller caller,
                   WaitingRoom& waiting_room)
    : request_(request), response_(response), caller_(caller), waiting_room_(waiting_room),
      method_(request.getMethod()) {
    const std::string& version = request.getVersion();
    well_formed_ =
        version == Poco::Net::HTTPMessage::HTTP_1_1 || version == Poco::Net::HTTPMessage::HTTP_1_0;
    try {
        const Poco::URI uri(request.getURI());
        uri.getPathSegments(path_);
        for (const auto& [key, value] : uri.getQueryParameters()) {
            query_.emplace_back(key, value);
        }
    } catch (const Poco::SyntaxException&) {
        well_formed_ = false;
    }
    if (!well_formed_) {
        response.setVersion(Poco::Net::HTTPMessage::HTTP_1_1); // it has the request's
        response.setKeepAlive(false);
    }
    if (!path_.empty() && path_.front() == "v1") {
        path_.erase(path_.begin());
    } else {
        path_ = {"", ""}; // no route has such a path
    }
}

std::optional<std::string> Exchange::query(const std::string& key) const {
    for (const auto& [name, value] : query_) {
        if (name == key) {
            return value;
        }
    }
    return std::nullopt;
}

bool Exchange::asks_for_session() const {
    return request_.get("Upgrade", "") == session::kUpgradeToken;
}

Result<WaitingRoom::Seat> Exchange::sit_down() {
    if (auto seat = waiting_room_.enter()) {
        return seat;
    }
    return fail(ErrorCode::resource_exhausted,
                "too many requests wait already (for operations, containers or events): ask again "
                "when some have ended");
}

Result<nlohmann::json> Exchange::body() {
    if (request_.hasContentLength() &&
        request_.getContentLength64() > static_cast<Poco::Int64>(kLargestBody)) {
        return too_large();
    }
    std::string text;
    std::array<char, 16384> chunk{};
    std::istream& stream = request_.stream();
    while (stream.read(chunk.data(), chunk.size()) || stream.gcount() > 0) {
        text.append(chunk.data(), static_cast<std::size_t>(stream.gcount()));
        if (text.size() > kLargestBody) {
            return too_large();
        }
    }
    return api::parse_object(text);
}

void Exchange::copy_body_to(int fd) {
    std::vector<char> chunk(std::size_t{1} << 18);
    std::istream& stream = request_.stream();
    while (stream.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) ||
           stream.gcount() > 0) {
        if (!kernel::write_all(fd, {chunk.data(), static_cast<std::size_t>(stream.gcount())})) {
            response_.setKeepAlive(false); // what is left of the body is not read
            return;
        }
    }
}

void Exchange::reply(int status, const nlohmann::json& body) {
    answered_ = true;
    const std::string text =
        body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    response_.setStatusAndReason(static_cast<Poco::Net::HTTPResponse::HTTPStatus>(status));
    response_.setContentType("application/json");
    response_.sendBuffer(text.data(), text.size());
}

void Exchange::reply_error(const Error& error) {
    const bool body_too_large = error.message() == too_large().error().message();
    if (body_too_large) {
        response_.setKeepAlive(false); // what is left of the body is not read
    }
    reply(body_too_large ? 413 : api::http_status(error.code()), api::to_json(error));
}

void Exchange::reply_lines(const std::function<std::optional<std::string>()>& next) {
    answered_ = true;
    response_.setChunkedTransferEncoding(true);
    response_.setContentType("application/x-ndjson");
    std::ostream& stream = response_.send();
    stream.flush();
    while (const auto line = next()) {
        stream << *line << '\n' << std::flush;
        if (!stream) {
            return;
        }
    }
}

Result<UniqueFd> Exchange::take_connection() {
    answered_ = true;
    try {
        response_.setStatusAndReason(Poco::Net::HTTPResponse::HTTP_SWITCHING_PROTOCOLS);
        response_.set("Connection", "Upgrade");
        response_.set("Upgrade", session::kUpgradeToken);
        response_.setContentLength(Poco::Net::HTTPMessage::UNKNOWN_CONTENT_LENGTH);
        response_.send().flush();
        auto& request = dynamic_cast<Poco::Net::HTTPServerRequestImpl&>(request_);
        const Poco::Net::StreamSocket socket = request.detachSocket();
        // The descriptor belongs to Poco's socket object; the copy is ours, and closing theirs does
        // not shut the connection down.
        const int copy = ::fcntl(socket.impl()->sockfd(), F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            return fail_errno("fcntl(F_DUPFD_CLOEXEC)");
        }
        return UniqueFd(copy);
    } catch (const Poco::Exception& error) {
        return fail(ErrorCode::cancelled, "the client is gone: " + error.displayText());
    }
}

} // namespace lodge::daemon
