#pragma once

#include "daemon/records/places.hpp"
#include "daemon/records/record_parts.hpp"

namespace lodge::daemon {

/// Writes the record of a container beside its volume: the values of its row and its sealed key,
/// atomically, and durably on return. It overwrites the former record with its sealed key. If the
/// file has the same content already, it only reads. Pre: the row exists (it has the sealed key),
/// and so does the container's directory. Call it after every change of a row's spec;
/// complete_records() writes the records that a crash prevented.
[[nodiscard]] Status write_record(const RecordParts& parts, const model::Container& container);

/// Writes or removes the file `up` beside the volume: whether the container is up or is to come up
/// with its host. A rescue after a reboot has no other source for that. It is a hint: a failure
/// only warns. Call it after every change of the state.
void note_up(const RecordParts& parts, const model::Container& container);

/// Overwrites the record with its sealed key and removes it. Missing: success.
[[nodiscard]] Status erase_record(const RecordParts& parts, const Uuid& container);

/// Writes the record of a template beside its image.
[[nodiscard]] Status write_record(const RecordParts& parts, const templates::Template& made);

/// Containers on the disk that the database lacks: a part of the database was lost, or an older
/// copy was put back.
[[nodiscard]] Result<std::vector<Uuid>> unclaimed_volumes(const RecordParts& parts);

/// Makes the records agree with the rows, at start, while no row changes. It makes those that an
/// earlier release did not write, and rewrites those that differ. It warns of failures.
void complete_records(const RecordParts& parts);

} // namespace lodge::daemon
