#include "daemon/api/answer.hpp"

#include "lib/api/json.hpp"

#include <Poco/Net/HTTPResponse.h>
#include <nlohmann/json.hpp>

#include <cerrno>

#include <sys/socket.h>

namespace lodge::daemon {

std::string answer_head(int status, std::string_view fields) {
    using Poco::Net::HTTPResponse;
    const auto code = static_cast<HTTPResponse::HTTPStatus>(status);
    std::string head = "HTTP/1.1 " + std::to_string(status) + " " +
                       HTTPResponse::getReasonForStatus(code) + "\r\n";
    head += fields;
    return head + "\r\n";
}

std::string answer_text(int status, std::string_view body) {
    return answer_head(status,
                       "Content-Type: application/json\r\nContent-Length: " +
                           std::to_string(body.size()) + "\r\nConnection: close\r\n") +
           std::string(body);
}

std::string answer_text(const Error& error) {
    return answer_text(api::http_status(error.code()), api::to_text(api::to_json(error)) + "\n");
}

bool send_some(int socket, std::string& unsent) {
    std::size_t sent = 0;
    bool over = false;
    while (!over && sent < unsent.size()) {
        const ssize_t size =
            ::send(socket, unsent.data() + sent, unsent.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0 && errno == EAGAIN) {
            break;
        }
        over = size < 0 && errno != EINTR;
        sent += static_cast<std::size_t>(size > 0 ? size : 0);
    }
    unsent.erase(0, sent);
    return over || unsent.empty();
}

} // namespace lodge::daemon
