#pragma once

#include "lib/model/container.hpp"
#include "lib/secret/secret_buffer.hpp"
#include "templates/template_store.hpp"

#include <string>
#include <string_view>

namespace lodge::daemon {

/// The record beside each volume and each image, from which a lost database is rebuilt:
///
///     {"format": 2, "container": {...}, "authenticator": "<64 hexadecimal digits>"}
///
/// secret::authenticator_of makes the authenticator over kind, format and content. Equal content
/// gives equal text. Format 1 had one volume and one card in the container itself. A release reads
/// every format up to its own (tests/upgrade), and calls a later one `unsupported`.
inline constexpr int kRecordFormat = 2;
inline constexpr std::size_t kLongestRecord = std::size_t{64} << 10;

/// A container as in its row, without the values of what runs: state, init, exit and times of
/// starts.
struct ContainerRecord {
    model::Container container;
    model::SealedKeys sealed_keys;
};

[[nodiscard]] Result<std::string> encode_record(const ContainerRecord& record,
                                                const secret::SecretBuffer& master);
/// bad_key when the record was changed or another master key made it, and when this master key does
/// not open the sealed key for this container. corrupt when it is no such record. unsupported when
/// a newer release wrote it.
[[nodiscard]] Result<ContainerRecord> decode_record(std::string_view text,
                                                    const secret::SecretBuffer& master);

/// The same for a template.
[[nodiscard]] Result<std::string> encode_record(const templates::Template& made,
                                                const secret::SecretBuffer& master);
[[nodiscard]] Result<templates::Template>
decode_template_record(std::string_view text, const secret::SecretBuffer& master);

} // namespace lodge::daemon
