#pragma once

#include "lib/base/error.hpp"
#include "lib/model/change.hpp"
#include "lib/model/container.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// Wire types and their JSON, as docs/openapi.yaml describes them.
namespace lodge::api {

/// One line, or several lines indented by `indent` blanks. The text is safe on a terminal: control
/// characters, with DEL and C1, are escaped, and a byte that is not UTF-8 becomes U+FFFD.
[[nodiscard]] std::string to_text(const nlohmann::json& value, int indent = -1);

/// A line of JSON from to_text(), indented as to_text() would indent it. Does not parse or store
/// its values. Pure.
[[nodiscard]] std::string indented(std::string_view line, std::size_t indent);

/// {"error": {"code", "message", "errno", "trail"}}
[[nodiscard]] nlohmann::json to_json(const Error& error);
/// The reverse, for the client; `internal` when the text is not of that form.
[[nodiscard]] Error error_from_json(std::string_view text);

/// A field's value, and the reverse; nullopt when no field has values of this form.
[[nodiscard]] nlohmann::json to_json(const model::FieldValue& value);
[[nodiscard]] std::optional<model::FieldValue> value_from_json(const nlohmann::json& json);

/// The fields that have a value.
[[nodiscard]] nlohmann::json to_json(const model::ContainerSpec& spec);
/// invalid_argument names an unknown key, a value of the wrong type or a bad value. This judges
/// each value by itself; model::validate() judges the whole.
[[nodiscard]] Result<model::ContainerSpec> unjudged_spec_from_json(const nlohmann::json& json);
/// The same, judged as a whole.
[[nodiscard]] Result<model::ContainerSpec> spec_from_json(const nlohmann::json& json);

/// A field that is absent does not change; null removes a limit.
[[nodiscard]] nlohmann::json to_json(const model::SpecChange& change);
[[nodiscard]] Result<model::SpecChange> change_from_json(const nlohmann::json& json);

/// Bytes that need not be UTF-8, such as the words of a command: a text, or {"base64": "..."} when
/// they are not UTF-8 or when that is shorter.
[[nodiscard]] nlohmann::json to_json_bytes(const std::string& bytes);
/// The reverse; invalid_argument for anything else.
[[nodiscard]] Result<std::string> bytes_from_json(const nlohmann::json& json);

/// Parses a request's body: one JSON object, or empty for none. The size of the body bounds the
/// depth and the keys. The number of values has a bound of its own, above the number of words that
/// execve(2) accepts (resource_exhausted).
[[nodiscard]] Result<nlohmann::json> parse_object(std::string_view body);

/// The HTTP status of a code; see docs/api.md.
[[nodiscard]] int http_status(ErrorCode code) noexcept;

} // namespace lodge::api
