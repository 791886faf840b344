#include "daemon/api/requests.hpp"

#include "lib/api/json.hpp"
#include "lib/secret/secret_buffer.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <utility>

namespace lodge::daemon {

namespace {

using nlohmann::json;

Status read_bytes(const json& value, std::string& into, const std::string& key) {
    auto bytes = api::bytes_from_json(value);
    if (!bytes) {
        return fail(bytes.error().code(), key + " " + bytes.error().message());
    }
    into = std::move(*bytes);
    return {};
}

Status read_words(const json& value, std::vector<std::string>& into, const std::string& key) {
    if (!value.is_array()) {
        return fail(ErrorCode::invalid_argument, "'" + key + "' must be a list of texts");
    }
    into.reserve(value.size());
    for (const json& item : value) {
        RETURN_IF_ERROR(read_bytes(item, into.emplace_back(), "each of '" + key + "'"));
    }
    return {};
}

bool has_nul(const std::string& text) {
    return text.find('\0') != std::string::npos;
}

Status check_exec(const ExecRequest& request) {
    if (request.argv.empty() != request.login_shell) {
        return fail(ErrorCode::invalid_argument, "give a command, or ask for a login shell");
    }
    if (std::any_of(request.argv.begin(), request.argv.end(), has_nul) ||
        has_nul(request.directory) || has_nul(request.user)) {
        return fail(ErrorCode::invalid_argument,
                    "a word, the directory or the user has a NUL byte in it");
    }
    for (const std::string& entry : request.environment) {
        const std::size_t equals = entry.find('=');
        if (equals == std::string::npos || equals == 0 || has_nul(entry)) {
            return fail(ErrorCode::invalid_argument,
                        "'" + entry.substr(0, equals) + "' is not of the form KEY=VALUE");
        }
    }
    return {};
}

} // namespace

// Removes the keys that are not of the spec, so that the spec's reader can refuse the rest.
Result<CreateRequest> read_create(json body) {
    CreateRequest request;
    if (body.contains("start")) {
        if (!body["start"].is_boolean()) {
            return fail(ErrorCode::invalid_argument, "'start' must be true or false");
        }
        request.start = body["start"].get<bool>();
        body.erase("start");
    }
    if (body.contains("root_password_hash")) {
        if (!body["root_password_hash"].is_string()) {
            return fail(ErrorCode::invalid_argument, "'root_password_hash' must be a text");
        }
        request.root_password_hash = body["root_password_hash"].get<std::string>();
        body.erase("root_password_hash");
        RETURN_IF_ERROR(secret::check_password_hash(request.root_password_hash));
    }
    if (const auto pids = body.find("pids"); pids != body.end() && pids->is_null()) {
        request.any_pids = true;
        body.erase(pids);
    }
    ASSIGN_OR_RETURN(request.spec, api::spec_from_json(body));
    return request;
}

Result<StopRequest> read_stop(const json& body) {
    StopRequest request;
    for (const auto& [key, value] : body.items()) {
        if (key == "force" && value.is_boolean()) {
            request.force = value.get<bool>();
        } else if (key == "timeout_ms" && value.is_number_unsigned() &&
                   value.get<std::uint64_t>() <= 86'400'000) {
            request.timeout = std::chrono::milliseconds(value.get<std::uint64_t>());
        } else {
            return fail(ErrorCode::invalid_argument, "'" + key + "' is unknown or has a bad value");
        }
    }
    return request;
}

Result<int> read_kill(const json& body) {
    const json signal = body.value("signal", json(SIGKILL));
    if (!signal.is_number_integer() || signal.get<std::int64_t>() < 1 ||
        signal.get<std::int64_t>() > 64 || body.size() > body.count("signal")) {
        return fail(ErrorCode::invalid_argument, "'signal' must be a signal's number, 1 to 64");
    }
    return signal.get<int>();
}

Result<ExecRequest> read_exec(const json& body) {
    ExecRequest request;
    for (const auto& [key, value] : body.items()) {
        if (key == "argv") {
            RETURN_IF_ERROR(read_words(value, request.argv, key));
        } else if (key == "environment") {
            RETURN_IF_ERROR(read_words(value, request.environment, key));
        } else if (key == "user" && value.is_string()) {
            request.user = value.get<std::string>();
        } else if (key == "directory") {
            RETURN_IF_ERROR(read_bytes(value, request.directory, "'directory'"));
        } else if (key == "login_shell" && value.is_boolean()) {
            request.login_shell = value.get<bool>();
        } else if (key == "terminal" && value.is_boolean()) {
            request.terminal = value.get<bool>();
        } else if ((key == "rows" || key == "columns") && value.is_number_unsigned() &&
                   value.get<std::uint64_t>() <= 65535) {
            (key == "rows" ? request.rows : request.columns) = value.get<std::uint16_t>();
        } else {
            return fail(ErrorCode::invalid_argument, "'" + key + "' is unknown or has a bad value");
        }
    }
    RETURN_IF_ERROR(check_exec(request));
    return request;
}

} // namespace lodge::daemon
