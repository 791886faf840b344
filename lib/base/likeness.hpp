#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lodge {

/// The number of letters to insert, delete, replace or swap with their neighbour to make one text
/// from the other (optimal string alignment). Pure; its time grows with the product of the two
/// lengths.
[[nodiscard]] std::size_t edit_distance(std::string_view one, std::string_view other);

/// The word of `known` that `word` was probably meant to be: at most a third of the letters are
/// wrong, or it is the only known word that begins with `word` (three letters or more). Empty: no
/// known word is similar. A text of more than 64 bytes is similar to none.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string> known);

/// "; did you mean 'start'?", or nothing.
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string> known);

} // namespace lodge
