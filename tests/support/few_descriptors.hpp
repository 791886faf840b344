#pragma once

#include <sys/resource.h>

namespace lodge::test {

/// While it lives, this process can open `count` descriptors more and not one beyond them: open(2)
/// says EMFILE then. For tests of one thread.
class FewDescriptors {
  public:
    explicit FewDescriptors(unsigned count);
    ~FewDescriptors();
    FewDescriptors(const FewDescriptors&) = delete;
    FewDescriptors& operator=(const FewDescriptors&) = delete;

  private:
    rlimit before_{};
};

/// Calls `look` with no descriptor to be had, then with one, two and so on, up to a number with
/// which nothing is short. Each time it fails, or says what it says with plenty of them: what could
/// not be opened must not be taken for what is not there. `look` returns a Result of something that
/// can be compared. Returns how often it failed; -1 when it told something else.
template <typename Look>
int count_honest_failures(const Look& look) {
    constexpr unsigned kPlenty = 24;
    const auto truth = look();
    int failures = 0;
    for (unsigned count = 0; count < kPlenty; ++count) {
        auto told = [&] {
            const FewDescriptors few(count);
            return look();
        }();
        if (!told) {
            ++failures;
        } else if (!truth || *told != *truth) {
            return -1;
        }
    }
    return failures;
}

} // namespace lodge::test
