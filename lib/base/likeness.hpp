#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lodge {

/// How many letters have to be put in, taken out, replaced or swapped with their neighbour to make
/// one text of the other (optimal string alignment). Pure; takes the product of their lengths.
[[nodiscard]] std::size_t edit_distance(std::string_view one, std::string_view other);

/// The one of `known` that `word` was probably meant to be: a third of its letters are wrong at
/// most, or it is the only one that begins with all of them (three or more). Empty: none is.
/// Texts of more than 64 bytes are like none.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string> known);

/// "; did you mean 'start'?", or nothing.
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string> known);

} // namespace lodge
