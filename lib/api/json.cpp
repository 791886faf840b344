#include "lib/api/json.hpp"

#include "lib/base/base64.hpp"
#include "lib/base/utf8.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <functional>
#include <map>
#include <optional>

namespace lodge::api {

namespace {

using nlohmann::json;
using Reader = std::function<Status(const json&)>;

constexpr const char* kBase64 = "base64";

// More than the kernel takes of words: two MiB, and eight bytes for each beside its own.
constexpr std::size_t kMostValues = std::size_t{1} << 18;

std::unexpected<Error> refuse(const std::string& why) {
    return fail(ErrorCode::invalid_argument, why);
}

Reader read_text(std::string& into, const char* key) {
    return [&into, key](const json& value) -> Status {
        if (!value.is_string()) {
            return refuse(std::string("'") + key + "' must be a text");
        }
        into = value.get<std::string>();
        return {};
    };
}

template <typename T, typename Into>
Reader read_number(Into& into, const char* key) {
    return [&into, key](const json& value) -> Status {
        if (!value.is_number_unsigned() ||
            value.get<std::uint64_t>() > std::numeric_limits<T>::max()) {
            return refuse(std::string("'") + key + "' must be a whole number that is not negative");
        }
        into = static_cast<T>(value.get<std::uint64_t>());
        return {};
    };
}

template <typename T>
Reader read_limit(model::SpecChange::Limit<T>& into, const char* key) {
    return [&into, key](const json& value) -> Status {
        into = std::optional<T>();
        return value.is_null() ? Status{} : read_number<T>(*into, key)(value);
    };
}

Status read_all(const json& object, const std::map<std::string, Reader>& readers) {
    for (const auto& [key, value] : object.items()) {
        const auto reader = readers.find(key);
        if (reader == readers.end()) {
            return refuse("unknown key '" + key + "'");
        }
        RETURN_IF_ERROR(reader->second(value));
    }
    return {};
}

template <typename Into, typename Parse>
Reader read_parsed(Into& into, const char* key, Parse parse) {
    return [&into, key, parse](const json& value) -> Status {
        std::string text;
        RETURN_IF_ERROR(read_text(text, key)(value));
        auto parsed = parse(text);
        if (!parsed) {
            return std::unexpected<Error>(std::move(parsed).error());
        }
        into = std::move(*parsed);
        return {};
    };
}

std::map<std::string, Reader> policy_readers(model::PolicyChange& into) {
    const auto number = [](std::optional<std::uint32_t>& value, const char* key) {
        return read_number<std::uint32_t>(value, key);
    };
    return {
        {"onboot", read_parsed(into.onboot, "onboot", model::parse_onboot)},
        {"bootorder", number(into.boot_order, "bootorder")},
        {"boot_delay_seconds", number(into.boot_delay_seconds, "boot_delay_seconds")},
        {"restart", read_parsed(into.restart, "restart", model::parse_restart)},
        {"restart_limit", number(into.restart_limit, "restart_limit")},
        {"restart_backoff_seconds",
         number(into.restart_backoff_seconds, "restart_backoff_seconds")},
    };
}

Status read_list(const json& value,
                 const char* key,
                 const std::function<Status(const std::string&)>& take) {
    if (!value.is_array()) {
        return refuse(std::string("'") + key + "' must be a list");
    }
    for (const json& item : value) {
        if (!item.is_string()) {
            return refuse(std::string("'") + key + "' must be a list of texts");
        }
        RETURN_IF_ERROR(take(item.get<std::string>()));
    }
    return {};
}

} // namespace

std::string to_text(const json& value, int indent) {
    std::string plain = value.dump(indent, ' ', false, json::error_handler_t::replace);
    if (plain.find('\x7f') == std::string::npos && plain.find('\xc2') == std::string::npos) {
        return plain; // nearly always
    }
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string text;
    text.reserve(plain.size());
    // JSON demands the escape of C0 alone, and what is left stands in strings only: DEL, and U+0080
    // to U+009F, which are 0xc2 and a byte from 0x80 to 0x9f in UTF-8.
    for (std::size_t at = 0; at < plain.size(); ++at) {
        const auto next = static_cast<unsigned char>(at + 1 < plain.size() ? plain[at + 1] : 0);
        const bool c1 = plain[at] == '\xc2' && next >= 0x80 && next < 0xa0;
        if (!c1 && plain[at] != '\x7f') {
            text += plain[at];
            continue;
        }
        const unsigned point = c1 ? next : 0x7fU;
        text += "\\u00";
        text += kHex[point >> 4U];
        text += kHex[point & 0xfU];
        at += c1 ? 1 : 0;
    }
    return text;
}

std::string indented(std::string_view line, std::size_t indent) {
    std::string text;
    text.reserve(line.size() * 2);
    std::size_t depth = 0;
    const auto break_line = [&] { text.append(1, '\n').append(depth * indent, ' '); };
    for (std::size_t at = 0; at < line.size(); ++at) {
        const char c = line[at];
        const char next = at + 1 < line.size() ? line[at + 1] : '\0';
        if (c == '"') { // to its end, over what is escaped
            std::size_t end = at + 1;
            while (end < line.size() && line[end] != '"') {
                end += line[end] == '\\' ? 2U : 1U;
            }
            text += line.substr(at, end - at + 1);
            at = end;
        } else if ((c == '[' && next == ']') || (c == '{' && next == '}')) {
            text.append(1, c).append(1, next);
            ++at;
        } else if (c == '[' || c == '{') {
            text += c;
            ++depth;
            break_line();
        } else if (c == ']' || c == '}') {
            depth -= depth > 0 ? 1 : 0;
            break_line();
            text += c;
        } else if (c == ',') {
            text += c;
            break_line();
        } else {
            text += c;
            text += c == ':' ? " " : "";
        }
    }
    return text;
}

json to_json(const Error& error) {
    return {{"error",
             {{"code", std::string(to_string(error.code()))},
              {"message", error.message()},
              {"errno", error.sys_errno()},
              {"trail", error.trail()}}}};
}

Error error_from_json(std::string_view text) {
    const json parsed = json::parse(text, nullptr, false);
    if (!parsed.is_object() || !parsed.contains("error") || !parsed["error"].is_object()) {
        return Error(ErrorCode::internal,
                     "the daemon answered with something that is not of the API");
    }
    const json& body = parsed["error"];
    const auto text_of = [&](const char* key, const char* otherwise) {
        const auto at = body.find(key);
        return at != body.end() && at->is_string() ? at->get<std::string>() : otherwise;
    };
    Error error = Error(error_code_from_string(text_of("code", "internal")),
                        text_of("message", "no message"));
    if (const auto number = body.find("errno");
        number != body.end() && number->is_number_integer()) {
        error = std::move(error).with_errno(number->get<int>());
    }
    const auto trail = body.find("trail");
    for (const json& intent : trail != body.end() && trail->is_array() ? *trail : json::array()) {
        if (intent.is_string()) {
            error = std::move(error).context(intent.get<std::string>());
        }
    }
    return error;
}

namespace {

template <typename Value>
json unless_none(const std::optional<Value>& value) {
    return value ? json(*value) : json();
}

json texts_of(const std::vector<model::IpAddress>& addresses) {
    json texts;
    for (const model::IpAddress& address : addresses) {
        texts.push_back(address.to_string());
    }
    return texts;
}

using Spec = model::ContainerSpec;

constexpr std::array kSpecFields{
    SpecField{"name", [](const Spec& spec) -> json { return spec.name; }},
    SpecField{"template", [](const Spec& spec) -> json { return spec.template_name; }},
    SpecField{
        "hostname",
        [](const Spec& spec) { return spec.hostname.empty() ? json() : json(spec.hostname); }},
    SpecField{"disk_bytes", [](const Spec& spec) -> json { return spec.disk_bytes; }},
    SpecField{"rootfs",
              [](const Spec& spec) -> json { return std::string(model::to_string(spec.rootfs)); }},
    SpecField{"encryption",
              [](const Spec& spec) {
                  return spec.encryption ? json(std::string(model::to_string(*spec.encryption)))
                                         : json();
              }},
    SpecField{"memory_bytes",
              [](const Spec& spec) { return unless_none(spec.resources.memory_bytes); }},
    SpecField{"cpu_millis",
              [](const Spec& spec) { return unless_none(spec.resources.cpu_millis); }},
    SpecField{"pids", [](const Spec& spec) { return unless_none(spec.resources.pids); }},
    SpecField{"addresses", [](const Spec& spec) { return texts_of(spec.addresses); }},
    SpecField{
        "ssh_keys",
        [](const Spec& spec) { return spec.ssh_keys.empty() ? json() : json(spec.ssh_keys); }},
    SpecField{
        "onboot",
        [](const Spec& spec) -> json { return std::string(model::to_string(spec.boot.onboot)); }},
    SpecField{"bootorder", [](const Spec& spec) -> json { return spec.boot.order; }},
    SpecField{"boot_delay_seconds",
              [](const Spec& spec) -> json { return spec.boot.delay_seconds; }},
    SpecField{
        "restart",
        [](const Spec& spec) -> json { return std::string(model::to_string(spec.restart.when)); }},
    SpecField{"restart_limit", [](const Spec& spec) -> json { return spec.restart.limit; }},
    SpecField{"restart_backoff_seconds",
              [](const Spec& spec) -> json { return spec.restart.backoff_seconds; }},
};

} // namespace

std::span<const SpecField> spec_fields() {
    return kSpecFields;
}

json to_json(const model::ContainerSpec& spec) {
    json result;
    for (const SpecField& field : kSpecFields) {
        if (json value = field.value_of(spec); !value.is_null()) {
            result[field.key] = std::move(value);
        }
    }
    return result;
}

Result<model::ContainerSpec> spec_from_json(const json& object) {
    model::ContainerSpec spec;
    model::PolicyChange policies;
    std::map<std::string, Reader> readers = policy_readers(policies);
    readers.insert({
        {"name", read_text(spec.name, "name")},
        {"template", read_text(spec.template_name, "template")},
        {"hostname", read_text(spec.hostname, "hostname")},
        {"disk_bytes", read_number<std::uint64_t>(spec.disk_bytes, "disk_bytes")},
        {"memory_bytes", read_number<std::uint64_t>(spec.resources.memory_bytes, "memory_bytes")},
        {"cpu_millis", read_number<std::uint32_t>(spec.resources.cpu_millis, "cpu_millis")},
        {"pids", read_number<std::uint32_t>(spec.resources.pids, "pids")},
        {"encryption", read_parsed(spec.encryption, "encryption", model::parse_encryption)},
        {"rootfs", read_parsed(spec.rootfs, "rootfs", model::parse_rootfs)},
        {"addresses",
         [&](const json& value) {
             return read_list(value, "addresses", [&](const std::string& text) -> Status {
                 ASSIGN_OR_RETURN(const auto address, model::IpAddress::parse(text));
                 spec.addresses.push_back(address);
                 return {};
             });
         }},
        {"ssh_keys",
         [&](const json& value) {
             return read_list(value, "ssh_keys", [&](const std::string& text) -> Status {
                 spec.ssh_keys.push_back(text);
                 return {};
             });
         }},
    });
    RETURN_IF_ERROR(read_all(object, readers));
    model::apply(policies, spec.boot, spec.restart);
    RETURN_IF_ERROR(model::validate(spec));
    return spec;
}

json to_json(const model::SpecChange& change) {
    json result = json::object();
    const auto put = [&](const char* key, const auto& limit) {
        if (limit) {
            result[key] = *limit ? json(**limit) : json(nullptr);
        }
    };
    put("memory_bytes", change.memory_bytes);
    put("cpu_millis", change.cpu_millis);
    put("pids", change.pids);
    const auto put_value = [&](const char* key, const auto& value) {
        if (value) {
            result[key] = *value;
        }
    };
    const auto put_name = [&](const char* key, const auto& value) {
        if (value) {
            result[key] = std::string(model::to_string(*value));
        }
    };
    put_value("hostname", change.hostname);
    put_name("onboot", change.policies.onboot);
    put_value("bootorder", change.policies.boot_order);
    put_value("boot_delay_seconds", change.policies.boot_delay_seconds);
    put_name("restart", change.policies.restart);
    put_value("restart_limit", change.policies.restart_limit);
    put_value("restart_backoff_seconds", change.policies.restart_backoff_seconds);
    return result;
}

Result<model::SpecChange> change_from_json(const json& object) {
    model::SpecChange change;
    std::map<std::string, Reader> readers = policy_readers(change.policies);
    readers.insert({{"memory_bytes", read_limit(change.memory_bytes, "memory_bytes")},
                    {"cpu_millis", read_limit(change.cpu_millis, "cpu_millis")},
                    {"pids", read_limit(change.pids, "pids")},
                    {"hostname", [&](const json& value) {
                         change.hostname.emplace();
                         return read_text(*change.hostname, "hostname")(value);
                     }}});
    RETURN_IF_ERROR(read_all(object, readers));
    return change;
}

json to_json_bytes(const std::string& bytes) {
    // As json::dump() writes a text: \u00XX for most control characters, two bytes for the others.
    std::size_t text_size = bytes.size();
    for (const char c : bytes) {
        text_size += static_cast<unsigned char>(c) < 0x20 ? 5 : c == '"' || c == '\\' ? 1 : 0;
    }
    constexpr std::string_view kFrame = R"({"base64":})";
    const bool shorter = text_size <= (bytes.size() + 2) / 3 * 4 + kFrame.size();
    return shorter && is_utf8(bytes) ? json(bytes) : json{{kBase64, encode_base64(bytes)}};
}

Result<std::string> bytes_from_json(const json& value) {
    if (value.is_string()) {
        return value.get<std::string>();
    }
    if (value.is_object() && value.size() == 1 && value.contains(kBase64) &&
        value[kBase64].is_string()) {
        if (auto bytes = decode_base64(value[kBase64].get_ref<const std::string&>())) {
            return std::move(*bytes);
        }
    }
    return refuse("must be a text, or {\"base64\": \"...\"} as RFC 4648 has it");
}

Result<json> parse_object(std::string_view body) {
    if (body.empty()) {
        return json::object();
    }
    // Each value costs more memory than it has bytes.
    std::size_t values = 0;
    const auto count = [&](int, json::parse_event_t, const json&) {
        return ++values <= kMostValues;
    };
    json parsed = json::parse(body, count, false);
    if (values > kMostValues) {
        return fail(ErrorCode::resource_exhausted,
                    "the request's body has more than " + std::to_string(kMostValues) + " values");
    }
    if (!parsed.is_object()) {
        return refuse("the request's body is not a JSON object");
    }
    return parsed;
}

int http_status(ErrorCode code) noexcept {
    switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::unsupported:
        return 400;
    case ErrorCode::permission_denied:
        return 403;
    case ErrorCode::not_found:
        return 404;
    case ErrorCode::already_exists:
    case ErrorCode::invalid_state:
    case ErrorCode::busy:
    case ErrorCode::cancelled:
        return 409;
    case ErrorCode::timeout:
        return 408;
    case ErrorCode::no_space:
    case ErrorCode::resource_exhausted:
        return 507;
    case ErrorCode::bad_key:
    case ErrorCode::corrupt:
    case ErrorCode::kernel:
    case ErrorCode::internal:
    case ErrorCode::unreachable:
        break;
    }
    return 500;
}

} // namespace lodge::api
