#pragma once

#include "lib/model/container.hpp"
#include "lib/secret/secret_buffer.hpp"
#include "storage/key_provider.hpp"
#include "templates/template_store.hpp"

#include <string>
#include <string_view>

namespace lodge::daemon {

/// The record beside each volume and each image, from which a lost database is rebuilt:
///
///     {"format": 2, "container": {...}, "authenticator": "<64 hexadecimal digits>"}
///
/// secret::authenticator_of makes the authenticator over kind, format and content, with the host's
/// own key (host_key.hpp). Equal content gives equal text. In format 1 it was made with the master
/// key, and the container itself had one volume and one card. A release reads every format up to
/// its own (tests/upgrade), and calls a later one `unsupported`.
inline constexpr int kRecordFormat = 2;
inline constexpr std::size_t kLongestRecord = std::size_t{64} << 10;

/// A container as in its row, without the values of its run: state, init, exit and times of
/// starts.
struct ContainerRecord {
    model::Container container;
    model::SealedKeys sealed_keys;
};

/// The keys that check the authenticators of records. Borrowed.
struct RecordKeys {
    const secret::SecretBuffer* host; ///< null: it is not there
    storage::KeyProvider& provider;   ///< for records of format 1
};

[[nodiscard]] Result<std::string> encode_record(const ContainerRecord& record,
                                                const secret::SecretBuffer& host_key);
/// bad_key when the record was changed or another key authenticated it. not_found when the key for
/// that is not there. corrupt when it is no such record. unsupported when a newer release wrote it.
/// Whether the sealed key opens is for the provider to say.
[[nodiscard]] Result<ContainerRecord> decode_record(std::string_view text, const RecordKeys& keys);

/// The same for a template.
[[nodiscard]] Result<std::string> encode_record(const templates::Template& made,
                                                const secret::SecretBuffer& host_key);
[[nodiscard]] Result<templates::Template> decode_template_record(std::string_view text,
                                                                 const RecordKeys& keys);

} // namespace lodge::daemon
