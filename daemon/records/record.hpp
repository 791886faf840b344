#pragma once

#include "lib/model/container.hpp"
#include "lib/secret/secret_buffer.hpp"
#include "templates/template_store.hpp"

#include <string>
#include <string_view>

namespace lodge::daemon {

/// What is kept beside each volume and each image, so that a lost database can be built anew:
///
///     {"format": 1, "container": {...}, "authenticator": "<64 hexadecimal digits>"}
///
/// The authenticator is over the kind, the format and the content, as secret::authenticator_of
/// makes it. Equal content gives equal text. A release reads every format up to its own
/// (tests/upgrade), and calls a later one `unsupported`.
inline constexpr int kRecordFormat = 1;
inline constexpr std::size_t kLongestRecord = std::size_t{64} << 10;

/// A container as its row has it, but for what runs: state, init, exit and times of starts.
struct ContainerRecord {
    model::Container container;
    std::string sealed_key;
};

[[nodiscard]] Result<std::string> encode_record(const ContainerRecord& record,
                                                const secret::SecretBuffer& master);
/// bad_key when it was changed or another master key made it; corrupt when it is no such record;
/// unsupported when a newer release wrote it. Also bad_key when the sealed key is not one that
/// this master key opens for this container.
[[nodiscard]] Result<ContainerRecord> decode_record(std::string_view text,
                                                    const secret::SecretBuffer& master);

/// The same for what a template's name stands for.
[[nodiscard]] Result<std::string> encode_record(const templates::Template& made,
                                                const secret::SecretBuffer& master);
[[nodiscard]] Result<templates::Template>
decode_template_record(std::string_view text, const secret::SecretBuffer& master);

} // namespace lodge::daemon
