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

/// One line, or indented by so many blanks. Whatever the texts in it hold, it can be shown on a
/// terminal: control characters, DEL and C1 among them, are escaped; a byte that is not UTF-8
/// becomes U+FFFD.
[[nodiscard]] std::string to_text(const nlohmann::json& value, int indent = -1);

/// One line of JSON, such as to_text() makes, as to_text() would indent it; its values are neither
/// read nor kept. Pure.
[[nodiscard]] std::string indented(std::string_view line, std::size_t indent);

/// {"error": {"code", "message", "errno", "trail"}}
[[nodiscard]] nlohmann::json to_json(const Error& error);
/// The reverse, for the client; `internal` when the text is not of that form.
[[nodiscard]] Error error_from_json(std::string_view text);

/// A field's value, and the reverse; nothing when no field's value has this form.
[[nodiscard]] nlohmann::json to_json(const model::FieldValue& value);
[[nodiscard]] std::optional<model::FieldValue> value_from_json(const nlohmann::json& json);

/// The fields that have a value.
[[nodiscard]] nlohmann::json to_json(const model::ContainerSpec& spec);
/// An unknown key, a value of the wrong type or a bad value is invalid_argument and named. Each
/// value is judged by itself; model::validate() judges the whole.
[[nodiscard]] Result<model::ContainerSpec> unjudged_spec_from_json(const nlohmann::json& json);
/// The same, judged as a whole.
[[nodiscard]] Result<model::ContainerSpec> spec_from_json(const nlohmann::json& json);

/// What is absent stays; null takes a limit away.
[[nodiscard]] nlohmann::json to_json(const model::SpecChange& change);
[[nodiscard]] Result<model::SpecChange> change_from_json(const nlohmann::json& json);

/// What need not be UTF-8, such as a command's words: a text where it is one, else {"base64":
/// "..."}, which is taken as well where it is shorter.
[[nodiscard]] nlohmann::json to_json_bytes(const std::string& bytes);
/// The reverse; invalid_argument for anything else.
[[nodiscard]] Result<std::string> bytes_from_json(const nlohmann::json& json);

/// Parses a request's body: one JSON object, or empty for none. Depth and keys are bounded by the
/// body, values by what the kernel takes of words (resource_exhausted).
[[nodiscard]] Result<nlohmann::json> parse_object(std::string_view body);

/// The HTTP status that each code has, and back the code's place in exit codes; see docs/api.md.
[[nodiscard]] int http_status(ErrorCode code) noexcept;

} // namespace lodge::api
