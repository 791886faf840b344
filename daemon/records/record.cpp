#include "daemon/records/record.hpp"

#include "daemon/records/parts_json.hpp"
#include "lib/api/json.hpp"

#include <nlohmann/json.hpp>

#include <limits>

namespace lodge::daemon {

namespace {

using nlohmann::json;

constexpr const char* kContainer = "container";
constexpr const char* kTemplate = "template";

std::string text_of(const json& value, int indent = -1) {
    return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

// The text for the authenticator. The parsed content is written again for it, so that blanks and
// the order of keys do not matter.
std::string canonical(const char* kind, int format, const json& content) {
    return std::string("lodge ") + kind + " " + std::to_string(format) + "\n" + text_of(content);
}

Result<std::string>
encode(const char* kind, const json& content, const secret::SecretBuffer& host_key) {
    ASSIGN_OR_RETURN(const std::string authenticator,
                     secret::authenticator_of(host_key, canonical(kind, kRecordFormat, content)));
    return text_of({{"format", kRecordFormat}, {kind, content}, {"authenticator", authenticator}},
                   2) +
           "\n";
}

std::unexpected<Error> corrupt(const std::string& why) {
    return fail(ErrorCode::corrupt, "it is no record of Lodge's: " + why);
}

Status authenticate(std::int64_t format,
                    const std::string& text,
                    const std::string& authenticator,
                    const RecordKeys& keys) {
    if (format < 2) {
        return keys.provider.check_early_authenticator(text, authenticator);
    }
    if (keys.host == nullptr) {
        return fail(ErrorCode::not_found, "the host's key is not there");
    }
    return secret::check_authenticator(*keys.host, text, authenticator);
}

// The content, after a check of its authenticator.
Result<json> decode(const char* kind, std::string_view text, const RecordKeys& keys) {
    const json record = json::parse(text, nullptr, false);
    if (!record.is_object() || !record.contains("format") ||
        !record["format"].is_number_integer()) {
        return corrupt("not a JSON object with a format");
    }
    const auto format = record["format"].get<std::int64_t>();
    if (format > kRecordFormat) {
        return fail(ErrorCode::unsupported,
                    "a newer release wrote it (format " + std::to_string(format) +
                        ", this one knows " + std::to_string(kRecordFormat) +
                        "); use that release");
    }
    if (format < 1 || !record.contains(kind) || !record[kind].is_object() ||
        !record.contains("authenticator") || !record["authenticator"].is_string()) {
        return corrupt(std::string("without ") + kind + " or authenticator");
    }
    RETURN_IF_ERROR(authenticate(format,
                                 canonical(kind, static_cast<int>(format), record[kind]),
                                 record["authenticator"].get<std::string>(),
                                 keys));
    return record[kind];
}

// Reads members of a content with a valid authenticator. status() reports a missing member or one
// of another type.
class Fields {
  public:
    explicit Fields(const json& content) : content_(content) {}
    std::string text(const char* key) {
        const auto at = find(key);
        return at && at->is_string() ? at->get<std::string>() : missing(key);
    }
    std::int64_t number(const char* key, std::int64_t most) {
        const auto at = find(key);
        if (!at || !at->is_number_integer() || at->get<std::int64_t>() < 0 ||
            at->get<std::int64_t>() > most) {
            (void)missing(key);
            return 0;
        }
        return at->get<std::int64_t>();
    }
    [[nodiscard]] Status status() const {
        return bad_.empty() ? Status{} : Status(corrupt("'" + bad_ + "' is missing or wrong"));
    }

  private:
    const json* find(const char* key) const {
        const auto at = content_.find(key);
        return at == content_.end() ? nullptr : &*at;
    }
    std::string missing(const char* key) {
        bad_ = key;
        return {};
    }
    const json& content_;
    std::string bad_;
};

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

} // namespace

Result<std::string> encode_record(const ContainerRecord& record,
                                  const secret::SecretBuffer& host_key) {
    const model::Container& container = record.container;
    // As in the row, which has neither ssh keys nor requested addresses: the create has used them.
    model::ContainerSpec spec = container.spec;
    spec.ssh_keys.clear();
    spec.addresses.clear();
    json content = {{"uuid", container.uuid.to_string()},
                    {"spec", api::to_json(spec)},
                    {"template_digest", container.template_digest},
                    {"uid_base", container.uid_base},
                    {"created_at", container.created_at}};
    put_parts(record, content);
    return encode(kContainer, content, host_key);
}

Result<ContainerRecord> decode_record(std::string_view text, const RecordKeys& keys) {
    ASSIGN_OR_RETURN(const json content, decode(kContainer, text, keys));
    Fields fields(content);
    ContainerRecord record;
    model::Container& container = record.container;
    const std::string uuid = fields.text("uuid");
    container.template_digest = fields.text("template_digest");
    container.uid_base = static_cast<std::uint32_t>(
        fields.number("uid_base", std::numeric_limits<std::uint32_t>::max()));
    container.created_at = fields.number("created_at", kMost);
    RETURN_IF_ERROR(fields.status());
    ASSIGN_OR_RETURN(container.uuid, Uuid::parse(uuid));
    ASSIGN_OR_RETURN(container.spec, api::spec_from_json(content.value("spec", json::object())));
    RETURN_IF_ERROR(model::validate(container.spec));
    if (!container.spec.encryption) {
        return corrupt("without the volume's encryption");
    }
    RETURN_IF_ERROR(read_parts(content, record));
    return record;
}

Result<std::string> encode_record(const templates::Template& made,
                                  const secret::SecretBuffer& host_key) {
    return encode(kTemplate,
                  {{"name", made.name},
                   {"digest", made.digest},
                   {"bytes", made.bytes},
                   {"init", made.init},
                   {"halt_signal", made.halt_signal},
                   {"ready", made.ready},
                   {"source", made.source},
                   {"created_at", made.created_at}},
                  host_key);
}

Result<templates::Template> decode_template_record(std::string_view text, const RecordKeys& keys) {
    ASSIGN_OR_RETURN(const json content, decode(kTemplate, text, keys));
    Fields fields(content);
    templates::Template made{.name = fields.text("name"),
                             .digest = fields.text("digest"),
                             .bytes = static_cast<std::uint64_t>(fields.number("bytes", kMost)),
                             .init = fields.text("init"),
                             .halt_signal = fields.text("halt_signal"),
                             .ready = fields.text("ready"),
                             .source = fields.text("source"),
                             .created_at = fields.number("created_at", kMost)};
    RETURN_IF_ERROR(fields.status());
    return made;
}

} // namespace lodge::daemon
