#pragma once

#include "daemon/containers/parts.hpp"
#include "daemon/records/places.hpp"

namespace lodge::daemon {

/// Writes what the container's row says, and its sealed key, beside its volume: atomically, and
/// durably when it returns. What was there before, a sealed key among it, is overwritten. Costs
/// nothing but a read when the file says so already. Pre: the row exists (it has the sealed key)
/// and so does the container's directory. Call it after every change of a row's spec; what a crash
/// keeps from being written, complete_records() writes.
[[nodiscard]] Status write_record(const Parts& parts, const model::Container& container);

/// Says beside the volume whether the container is up or is to come up with its host, which nobody
/// could tell a rescue after a reboot. A hint: what cannot be written is warned of. Call it after
/// every change of its state.
void note_up(const Parts& parts, const model::Container& container);

/// Overwrites the record, which has the sealed key, and removes it. Success when there is none.
[[nodiscard]] Status erase_record(const Parts& parts, const Uuid& container);

/// Writes what a template's name stands for beside its image.
[[nodiscard]] Status write_record(const Parts& parts, const templates::Template& made);

/// Containers that are on the disk and not in the database: it was lost in part, or an older copy
/// of it was put back.
[[nodiscard]] Result<std::vector<Uuid>> unclaimed_volumes(const Parts& parts);

/// At start, as long as no row changes: makes the records agree with the rows. Those of an earlier
/// release, which wrote none, are made; what disagrees is written anew. Warns of what it could not
/// do.
void complete_records(const Parts& parts);

} // namespace lodge::daemon
