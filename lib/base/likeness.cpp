#include "lib/base/likeness.hpp"

#include <algorithm>
#include <vector>

namespace lodge {

namespace {

constexpr std::size_t kLongest = 64;

} // namespace

std::size_t edit_distance(std::string_view one, std::string_view other) {
    // Three rows of the table of distances: without the last letter of `one`, with it, and with the
    // next letter.
    std::vector<std::size_t> before(other.size() + 1);
    std::vector<std::size_t> row(other.size() + 1);
    std::vector<std::size_t> next(other.size() + 1);
    for (std::size_t j = 0; j <= other.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= one.size(); ++i) {
        next[0] = i;
        for (std::size_t j = 1; j <= other.size(); ++j) {
            const std::size_t replaced = row[j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1);
            next[j] = std::min({row[j] + 1, next[j - 1] + 1, replaced});
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1]) {
                next[j] = std::min(next[j], before[j - 2] + 1);
            }
        }
        before.swap(row);
        row.swap(next);
    }
    return row[other.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string> known) {
    if (word.empty() || word.size() > kLongest) {
        return {};
    }
    std::string_view best;
    std::size_t least = std::max<std::size_t>(1, word.size() / 3) + 1;
    std::size_t beginnings = 0;
    std::string_view begun;
    for (const std::string& candidate : known) {
        if (candidate.size() > kLongest) {
            continue;
        }
        const std::size_t wrong = edit_distance(word, candidate);
        // As many errors as the shorter word has letters would leave no letter of it.
        if (wrong < least && wrong < std::min(word.size(), candidate.size())) {
            least = wrong;
            best = candidate;
        }
        if (word.size() >= 3 && candidate.starts_with(word)) {
            ++beginnings;
            begun = candidate;
        }
    }
    return best.empty() && beginnings == 1 ? begun : best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> known) {
    const std::string_view near = nearest(word, known);
    return near.empty() ? "" : "; did you mean '" + std::string(near) + "'?";
}

} // namespace lodge
