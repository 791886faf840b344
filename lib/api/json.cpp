#include "lib/api/json.hpp"

#include "lib/base/base64.hpp"
#include "lib/base/utf8.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace lodge::api {

namespace {

using nlohmann::json;

constexpr const char* kBase64 = "base64";

// More than the number of words that execve(2) accepts: two MiB, with a pointer of eight bytes for
// each word.
constexpr std::size_t kMostValues = std::size_t{1} << 18;

std::unexpected<Error> refuse(const std::string& why) {
    return fail(ErrorCode::invalid_argument, why);
}

} // namespace

std::string to_text(const json& value, int indent) {
    std::string plain = value.dump(indent, ' ', false, json::error_handler_t::replace);
    if (plain.find('\x7f') == std::string::npos && plain.find('\xc2') == std::string::npos) {
        return plain; // the usual case
    }
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string text;
    text.reserve(plain.size());
    // dump() has escaped C0, as JSON requires. This escapes DEL and U+0080 to U+009F, which can
    // occur only in strings. In UTF-8 the latter are 0xc2 and a byte from 0x80 to 0x9f.
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
        if (c == '"') { // to the end of the string, past escapes
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

json to_json(const model::FieldValue& value) {
    return std::visit(
        [](const auto& held) -> json {
            if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::monostate>) {
                return nullptr;
            } else {
                return held;
            }
        },
        value);
}

std::optional<model::FieldValue> value_from_json(const json& value) {
    if (value.is_null()) {
        return model::FieldValue();
    }
    if (value.is_number_unsigned()) {
        return value.get<std::uint64_t>();
    }
    if (value.is_string()) {
        return value.get<std::string>();
    }
    const bool texts = value.is_structured() && std::ranges::all_of(value, [](const json& item) {
                           return item.is_string();
                       });
    if (!texts) {
        return std::nullopt;
    }
    return value.is_array() ? model::FieldValue(value.get<std::vector<std::string>>())
                            : model::FieldValue(value.get<std::map<std::string, std::string>>());
}

json to_json(const model::ContainerSpec& spec) {
    json result = json::object();
    for (const model::SpecField& field : model::spec_fields()) {
        if (json value = to_json(field.value_of(spec)); !value.is_null()) {
            result[field.key] = std::move(value);
        }
    }
    return result;
}

namespace {

// The value of a key, which must be the key of a field.
Result<model::FieldValue> read_value(const std::string& key, const json& value) {
    const model::SpecField* field = model::find_field(key);
    if (field == nullptr) {
        return refuse("unknown key '" + key + "'");
    }
    auto read = value_from_json(value);
    if (!read) {
        return refuse("'" + key + "' must be " + field->wanted);
    }
    return std::move(*read);
}

} // namespace

Result<model::ContainerSpec> unjudged_spec_from_json(const json& object) {
    if (!object.is_object()) {
        return refuse("a specification is a JSON object");
    }
    model::ContainerSpec spec;
    for (const auto& [key, value] : object.items()) {
        ASSIGN_OR_RETURN(const model::FieldValue read, read_value(key, value));
        RETURN_IF_ERROR(model::put(spec, *model::find_field(key), read));
    }
    return spec;
}

Result<model::ContainerSpec> spec_from_json(const json& object) {
    ASSIGN_OR_RETURN(auto spec, unjudged_spec_from_json(object));
    RETURN_IF_ERROR(model::validate(spec));
    return spec;
}

json to_json(const model::SpecChange& change) {
    json result = json::object();
    for (const auto& [key, value] : change) {
        result[std::string(key)] = to_json(value);
    }
    return result;
}

Result<model::SpecChange> change_from_json(const json& object) {
    model::SpecChange change;
    for (const auto& [key, value] : object.items()) {
        ASSIGN_OR_RETURN(model::FieldValue read, read_value(key, value));
        RETURN_IF_ERROR(model::add(change, key, std::move(read)));
    }
    return change;
}

json to_json_bytes(const std::string& bytes) {
    // The size of the text as json::dump() writes it: \u00XX for most control characters, two bytes
    // for other escapes.
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
    // A bound, because a value in memory is larger than its text.
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
